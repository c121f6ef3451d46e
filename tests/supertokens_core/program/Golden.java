import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Writes the golden data: tables of a core in every state, the tokens that clients hold, and what the core does with each of them.
 *
 * <p>Run as: javac -d FOLDER *.java; java -cp FOLDER Golden MOMENT SEED, where the moment is in milliseconds since the epoch.
 */
final class Golden {
    private static final long DAY = 86_400_000;
    private static final long HOUR = 3_600_000;

    public static void main(String[] arguments) {
        long moment = Long.parseLong(arguments[0]);
        Core core = new Core(new Drawn(arguments[1]));
        core.now = moment;
        makeKeys(core);
        States states = new States(core);
        states.all();
        Map<String, Object> golden = Json.object(
            "moment", moment,
            "access_token_validity", Core.ACCESS_TOKEN_VALIDITY,
            "refresh_token_validity", Core.REFRESH_TOKEN_VALIDITY,
            "grace_period", Core.GRACE_PERIOD,
            "tables", tables(core),
            "clients", states.clients.stream().map(client -> described(core, client)).toList());
        new PrintStream(System.out, false, StandardCharsets.UTF_8).println(Json.laidOut(golden));
    }

    private static void makeKeys(Core core) {
        core.refreshTokens.put(Core.PUBLIC, new RefreshTokens(RefreshTokens.newKey(core.drawn)));
        core.refreshTokens.put("shop", new RefreshTokens(RefreshTokens.newKey(core.drawn)));
        dynamicKey(core, Core.PUBLIC, core.now - 10 * DAY, ";");
        dynamicKey(core, Core.PUBLIC, core.now - 7 * DAY - HOUR, ";");
        dynamicKey(core, Core.PUBLIC, core.now - 6 * DAY, "|");
        staticKey(core, Core.PUBLIC, core.now - 400 * DAY, ";");
        staticKey(core, Core.PUBLIC, core.now - 200 * DAY, "|");
        dynamicKey(core, "shop", core.now - 6 * DAY, "|");
    }

    private static void dynamicKey(Core core, String appId, long createdAt, String separator) {
        core.keys.add(new SigningKey(appId, "d-" + createdAt, createdAt, SigningKey.newPair(core.drawn, separator)));
    }

    private static void staticKey(Core core, String appId, long createdAt, String separator) {
        core.keys.add(new SigningKey(appId, "s-" + core.drawn.uuid(), createdAt, SigningKey.newPair(core.drawn, separator)));
    }

    private static Map<String, Object> tables(Core core) {
        List<Object> apps = new ArrayList<>();
        List<Object> tenants = new ArrayList<>();
        List<Object> keyValue = new ArrayList<>();
        long created = core.now - 400 * DAY;
        core.refreshTokens.forEach((app, refreshTokens) -> {
            apps.add(Json.object("app_id", app, "created_at_time", created));
            for (String tenant : List.of(Core.PUBLIC, "customer-1", "t2")) {
                tenants.add(Json.object("app_id", app, "tenant_id", tenant, "created_at_time", created));
            }
            keyValue.add(Json.object(
                "app_id", app, "tenant_id", Core.PUBLIC, "name", "refresh_token_key", "value", refreshTokens.key(),
                "created_at_time", created));
        });
        return Json.object(
            "apps", apps,
            "tenants", tenants,
            "key_value", keyValue,
            "session_access_token_signing_keys", core.keys.stream().filter(key -> !key.isStatic()).map(Golden::dynamicRow).toList(),
            "jwt_signing_keys", core.keys.stream().filter(SigningKey::isStatic).map(Golden::staticRow).toList(),
            "app_id_to_user_id", users(core),
            "userid_mapping", mappings(core),
            "all_auth_recipe_users", staleUsers(core),
            "session_info", core.sessions.values().stream().map(Golden::sessionRow).toList());
    }

    private static Map<String, Object> dynamicRow(SigningKey key) {
        return Json.object("app_id", key.appId(), "created_at_time", key.createdAt(), "value", key.stored());
    }

    private static Map<String, Object> staticRow(SigningKey key) {
        return Json.object(
            "app_id", key.appId(), "key_id", key.kid(), "key_string", key.stored(), "algorithm", "RS256", "created_at", key.createdAt());
    }

    private static List<Object> users(Core core) {
        List<Object> rows = new ArrayList<>();
        // A foreign key refers from a user to its primary one, so those come first.
        for (boolean isPrimary : new boolean[] {true, false}) {
            core.primaryOf.forEach((key, primary) -> {
                String[] names = key.split("\n");
                if (names[1].equals(primary) == isPrimary) {
                    boolean linked = core.primaryOf.entrySet().stream().filter(each -> each.getValue().equals(primary)).count() > 1;
                    rows.add(Json.object(
                        "app_id", names[0], "user_id", names[1], "recipe_id", "emailpassword",
                        "primary_or_recipe_user_id", primary, "is_linked_or_is_a_primary_user", linked));
                }
            });
        }
        return rows;
    }

    /** The older table of users, of which nobody keeps up who is linked to whom. */
    private static List<Object> staleUsers(Core core) {
        List<Object> rows = new ArrayList<>();
        core.primaryOf.forEach((key, primary) -> {
            String[] names = key.split("\n");
            long joined = core.now - 300 * DAY;
            rows.add(Json.object(
                "app_id", names[0], "tenant_id", Core.PUBLIC, "user_id", names[1], "primary_or_recipe_user_id", names[1],
                "is_linked_or_is_a_primary_user", false, "primary_or_recipe_user_time_joined", joined, "recipe_id", "emailpassword",
                "time_joined", joined));
        });
        return rows;
    }

    private static List<Object> mappings(Core core) {
        List<Object> rows = new ArrayList<>();
        core.externalOf.forEach((key, external) -> {
            String[] names = key.split("\n");
            rows.add(Json.object("app_id", names[0], "supertokens_user_id", names[1], "external_user_id", external, "external_user_id_info", null));
        });
        return rows;
    }

    private static Map<String, Object> sessionRow(Row row) {
        return Json.object(
            "app_id", row.appId(), "tenant_id", row.tenantId(), "session_handle", row.handle(), "user_id", row.userId(),
            "refresh_token_hash_2", row.hash2(), "session_data", row.data(), "expires_at", row.expiresAt(),
            "created_at_time", row.createdAt(), "jwt_user_payload", row.payload(), "use_static_key", row.useStaticKey(),
            "prev_refresh_token_hash_2", row.prev(), "refresh_token_rotated_at", row.rotatedAt());
    }

    private static Map<String, Object> described(Core core, Client client) {
        return Json.object(
            "state", client.state(),
            "client", client.name(),
            "at_the_edge", client.edge(),
            "app_id", client.held().appId(),
            "refresh_token", client.refreshToken(),
            "access_token", client.accessToken(),
            "anti_csrf", Json.object("enabled", client.antiCsrf().enabled(), "presented", client.antiCsrf().presented()),
            "opened", opened(core, client),
            "refresh", answers(core, client, 0),
            "refresh_later", Json.object("60000", answers(core, client, 60_000), "8640060000", answers(core, client, 100 * DAY + 60_000)),
            "verify", verified(core, client));
    }

    private static Map<String, Object> opened(Core core, Client client) {
        Sealed opened = core.refreshTokens.get(client.held().appId()).open(client.refreshToken());
        if (opened == null) {
            return null;
        }
        String parent = opened.parentHash1();
        return Json.object(
            "session_handle", opened.sessionHandle(), "tenant_id", opened.tenantId(), "user_id", opened.userId(),
            "anti_csrf_token", opened.antiCsrfToken(), "hash_2", Hash.twice(client.refreshToken()),
            "parent_hash_2", parent == null ? null : Hash.once(parent));
    }

    private static Map<String, Object> answers(Core core, Client client, long later) {
        Map<String, Object> answers = Json.object();
        for (Cdi cdi : Cdi.values()) {
            Core asked = core.copy();
            asked.now += later;
            String appId = client.held().appId();
            answers.put(cdi.version, asked.refresh(cdi, appId, client.refreshToken(), client.antiCsrf()).outcome());
        }
        return answers;
    }

    private static Map<String, Object> verified(Core core, Client client) {
        String appId = client.held().appId();
        return Json.object(
            "offline", core.verify(appId, client.accessToken(), false), "database", core.verify(appId, client.accessToken(), true));
    }
}
