import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A client in a state: what it presents, by whatever way it came to it. */
record Client(String state, String name, Held held, String refreshToken, String accessToken, AntiCsrf antiCsrf, boolean edge) {}

/** Sessions in every state that a database can have them in, each with the clients that hold tokens of it. */
final class States {
    private static final long SECOND = 1000;
    private static final long HOUR = 3600 * SECOND;
    private static final long DAY = 24 * HOUR;
    /** Long after the grace period, and before an access token ends. */
    private static final long A_WHILE = HOUR - 600 * SECOND;
    private static final String ISSUER = "\"iss\":\"https://example.com/auth\"";

    final List<Client> clients = new ArrayList<>();
    private final Core core;
    private final long moment;
    private String state;
    private boolean edge;

    States(Core core) {
        this.core = core;
        this.moment = core.now;
    }

    void all() {
        rotations();
        twoSteps();
        endings();
        tenantsAndApps();
        users();
        antiCsrf();
        payloads();
        keys();
        damagedRefreshTokens();
        core.now = moment;
    }

    private void rotations() {
        state("fresh");
        client("the client", begun(A_WHILE));

        state("rotated within the grace period");
        Held first = begun(DAY);
        Held second = rotated(first, 10 * SECOND);
        client("current", second);
        client("previous", first);

        state("rotated long ago");
        first = begun(DAY);
        second = rotated(first, A_WHILE);
        client("current", second);
        client("previous", first);

        atTheEdge("rotated as long ago as the grace period is");
        first = begun(DAY);
        client("current", rotated(first, 30 * SECOND));
        client("previous", first);

        atTheEdge("rotated one millisecond longer ago than the grace period is");
        first = begun(DAY);
        client("current", rotated(first, 30 * SECOND + 1));
        client("previous", first);

        state("rotated many times");
        first = begun(9 * DAY);
        second = rotated(first, 8 * DAY);
        Held third = rotated(rotated(rotated(second, 7 * DAY), 6 * DAY), 5 * DAY);
        Held fourth = rotated(third, 4 * HOUR);
        client("current", fourth);
        client("previous", third);
        client("of long ago", second);
        client("the first", first);

        state("rotated again within the grace period");
        first = begun(DAY);
        second = rotated(first, 20 * SECOND);
        third = rotated(first, 10 * SECOND);
        client("current", third);
        client("previous", first);
        client("displaced", second);

        state("rotated again within a grace period of long ago");
        first = begun(DAY);
        second = rotated(first, 2 * HOUR);
        third = rotated(first, 2 * HOUR - 10 * SECOND);
        client("current", third);
        client("previous", first);
        client("displaced", second);
    }

    private void twoSteps() {
        state("child not promoted");
        Held parent = begun(DAY);
        Held child = stepped(parent, A_WHILE);
        client("child", child);
        client("parent", parent);
        client("another child", stepped(parent, A_WHILE - SECOND));

        state("child promoted by its access token");
        parent = begun(DAY);
        child = stepped(parent, A_WHILE);
        Held sibling = stepped(parent, A_WHILE - SECOND);
        promoted(child, A_WHILE - 2 * SECOND);
        client("child", child);
        client("parent", parent);
        client("the other child", sibling);

        state("child promoted by its access token just now");
        parent = begun(DAY);
        child = stepped(parent, 20 * SECOND);
        sibling = stepped(parent, 19 * SECOND);
        promoted(child, 10 * SECOND);
        client("child", child);
        client("parent", parent);
        client("the other child", sibling);

        state("child promoted by its refresh, whose child is not");
        parent = begun(DAY);
        child = stepped(parent, 2 * HOUR);
        Held grandchild = stepped(child, A_WHILE);
        client("grandchild", grandchild);
        client("child", child);
        client("parent", parent);

        state("child promoted by its refresh just now, whose child is not");
        parent = begun(DAY);
        child = stepped(parent, 2 * HOUR);
        grandchild = stepped(child, 10 * SECOND);
        client("grandchild", grandchild);
        client("child", child);
        client("parent", parent);

        state("stepped many times");
        Held first = begun(9 * DAY);
        Held held = first;
        for (int days = 8; days > 0; days--) {
            held = stepped(held, days * DAY);
        }
        Held last = stepped(held, A_WHILE);
        client("current", held);
        client("child", last);
        client("the first", first);

        state("stepped, then rotated at once");
        parent = begun(3 * DAY);
        child = stepped(parent, 2 * DAY);
        client("current", rotated(child, A_WHILE));
        client("previous", child);
        client("parent of the previous", parent);

        state("child not promoted, whose row ends soon");
        parent = begun(Core.REFRESH_TOKEN_VALIDITY - HOUR);
        client("child", stepped(parent, A_WHILE));

        state("child not promoted, whose row has ended");
        parent = begun(Core.REFRESH_TOKEN_VALIDITY + HOUR);
        client("child", stepped(parent, 2 * HOUR));
    }

    private void endings() {
        state("expired");
        client("the client", begun(Core.REFRESH_TOKEN_VALIDITY + DAY));

        atTheEdge("expires at this moment");
        client("the client", begun(Core.REFRESH_TOKEN_VALIDITY));

        atTheEdge("expired one millisecond ago");
        client("the client", begun(Core.REFRESH_TOKEN_VALIDITY + 1));

        state("revoked");
        Held revoked = begun(10 * 60 * SECOND);
        core.sessions.remove(keyOf(revoked));
        client("the client", revoked);
    }

    private void tenantsAndApps() {
        for (String tenant : List.of("customer-1", "t2")) {
            state("tenant " + tenant);
            Held first = begun(DAY, beginning("alice").in(Core.PUBLIC, tenant));
            client("current", rotated(first, A_WHILE));
            client("previous", first);
        }
        state("app shop");
        client("the client", begun(HOUR / 2, beginning("alice").in("shop", Core.PUBLIC)));

        state("app shop, tenant customer-1");
        client("the client", begun(HOUR / 2, beginning("alice").in("shop", "customer-1")));

        state("app shop, presented to the public app");
        Held held = begun(HOUR / 2, beginning("alice").in("shop", Core.PUBLIC));
        client("the client", new Held(Core.PUBLIC, held.refreshToken(), null, held.access(), held.key()));
    }

    private void users() {
        state("user not known to the core");
        client("the client", begun(HOUR / 2, beginning("nobody-knows-me")));

        state("user of the core");
        client("the client", begun(HOUR / 2, beginning(user("single"))));

        state("user mapped before the session began");
        map("mapped", "ext-mapped");
        client("the client", begun(HOUR / 2, beginning("ext-mapped")));

        state("user mapped after the session began");
        Held held = begun(HOUR / 2, beginning(user("mapped later")));
        map("mapped later", "ext-mapped-later");
        client("the client", held);

        state("user linked to a primary user");
        link("linked", "primary");
        client("the client", begun(HOUR / 2, beginning(user("linked"))));

        state("user linked after the session began");
        held = begun(HOUR / 2, beginning(user("linked later")));
        link("linked later", "primary later");
        client("the client", held);

        state("primary user");
        client("the client", begun(HOUR / 2, beginning(user("primary"))));

        state("user linked, both mapped");
        map("linked, mapped", "ext-linked");
        map("primary, mapped", "ext-primary");
        link("linked, mapped", "primary, mapped");
        client("the client", begun(HOUR / 2, beginning("ext-linked")));

        state("user linked, only the primary one mapped");
        map("primary, mapped alone", "ext-primary-alone");
        link("linked, not mapped", "primary, mapped alone");
        client("the client", begun(HOUR / 2, beginning(user("linked, not mapped"))));

        state("user linked, only the linked one mapped");
        map("linked, mapped alone", "ext-linked-alone");
        link("linked, mapped alone", "primary, not mapped");
        client("the client", begun(HOUR / 2, beginning("ext-linked-alone")));

        state("user id with characters of HTML and of many languages");
        client("the client", begun(HOUR / 2, beginning("a=b&c<d>'e'/\u00e9\u4e2d\ud83d\ude00\u2028\"\\")));

        state("user id of 128 characters");
        client("the client", begun(HOUR / 2, beginning("u".repeat(128))));
    }

    private void antiCsrf() {
        state("with an anti-CSRF token");
        Held held = begun(HOUR / 2, beginning("alice").withAntiCsrf());
        sending(held.antiCsrfToken(), "right", held);
        sending(null, "missing", held);
        sending(held.antiCsrfToken().substring(1) + "x", "wrong", held);

        state("rotated, with anti-CSRF tokens");
        Held first = begun(DAY, beginning("alice").withAntiCsrf());
        core.now = moment - 10 * SECOND;
        Held second = core.refresh(Cdi.AT_ONCE, Core.PUBLIC, first.refreshToken(), new AntiCsrf(true, first.antiCsrfToken())).held();
        sending(second.antiCsrfToken(), "current", second);
        sending(first.antiCsrfToken(), "current, with the token of before", second);
        sending(first.antiCsrfToken(), "previous", first);

        state("begun without an anti-CSRF token, where they are now used");
        sending("any", "the client", begun(HOUR / 2));
        sending(null, "the client, without", begun(HOUR / 2));
    }

    private void payloads() {
        Map<String, String> payloads = new LinkedHashMap<>();
        payloads.put("empty", "{}");
        payloads.put("as a backend writes it", "{" + ISSUER + ",\"st-ev\":{\"v\":true,\"t\":1700000000000}}");
        payloads.put("nested", "{" + ISSUER + ",\"a\":{\"b\":[1,2.5,true,false,null,{\"c\":\"d\"}],\"e\":{}},\"f\":[]}");
        payloads.put("of many languages", "{" + ISSUER + ",\"n\u00e4me\":\"\u4e2d\u6587 \ud83d\ude00 \u2028 \u0000 \\\" \\\\ </script>\"}".replace("\u2028", "\\u2028").replace("\u0000", "\\u0000"));
        payloads.put("of large numbers", "{" + ISSUER + ",\"big\":123456789012345678,\"exact\":9007199254740993,\"small\":1.0E-7,\"negative\":-1}");
        payloads.put("of 6 kB", "{" + ISSUER + ",\"roles\":\"" + "r".repeat(6000) + "\"}");
        payloads.put("of 5 kB in escapes", "{" + ISSUER + ",\"escaped\":\"" + "\\\"".repeat(1700) + "\"}");
        payloads.forEach((name, payload) -> {
            state("payload " + name);
            client("the client", begun(HOUR / 2, beginning("alice").with(payload)));
        });
        for (String name : List.of("sub", "exp", "tId", "rsub", "sessionHandle", "refreshTokenHash1", "antiCsrfToken")) {
            state("payload with the protected name " + name);
            Held held = begun(HOUR / 2);
            change(held, row -> row.with(row.userId(), row.data(), "{\"plan\":\"pro\",\"" + name + "\":\"mine\"}"));
            client("the client", held);
        }
        state("session data nested");
        client("the client", begun(HOUR / 2, beginning("alice").withData("{\"cart\":[{\"n\":1}],\"\u00e9\":null}")));

        state("session data of 60 kB");
        client("the client", begun(HOUR / 2, beginning("alice").withData("{\"cart\":\"" + "c".repeat(60_000) + "\"}")));

        state("session data NULL");
        Held held = begun(HOUR / 2);
        change(held, row -> row.with(row.userId(), null, row.payload()));
        client("the client", held);
    }

    private void keys() {
        state("signed by a static key");
        client("the client", begun(HOUR / 2, beginning("alice").withStaticKey()));

        state("access token expired");
        client("the client", begun(2 * HOUR));

        atTheEdge("access token that ends at this moment");
        client("the client", begun(HOUR));

        state("access token by the dynamic key before");
        Held held = begun(HOUR / 2);
        bearing(held, access(held, 5, "{" + ISSUER + "}", key(1), moment - HOUR / 2, HOUR));

        state("access token by a dynamic key whose time is over");
        bearing(held, access(held, 5, "{" + ISSUER + "}", key(0), moment - HOUR / 2, HOUR));

        state("access token by the older static key");
        bearing(held, access(held, 5, "{" + ISSUER + "}", key(3), moment - HOUR / 2, HOUR));

        state("access token by a key of another app");
        bearing(held, access(held, 5, "{" + ISSUER + "}", core.signingKey("shop", false), moment - HOUR / 2, HOUR));

        state("access token valid for a year");
        bearing(held, access(held, 5, "{" + ISSUER + "}", key(2), moment - HOUR / 2, 365 * DAY));

        state("access token that names a key and is signed by another");
        SigningKey named = new SigningKey(Core.PUBLIC, key(2).kid(), key(2).createdAt(), key(1).stored());
        bearing(held, access(held, 5, "{" + ISSUER + "}", named, moment - HOUR / 2, HOUR));

        state("access token without an issuer");
        bearing(held, access(held, 5, "{}", key(2), moment - HOUR / 2, HOUR));

        for (int version = 2; version <= 5; version++) {
            state("access token of version " + version);
            bearing(held, access(held, version, "{" + ISSUER + ",\"plan\":\"pro\"}", key(2), moment - HOUR / 2, A_WHILE));
        }
        state("access token of version 3 with names that later versions have");
        bearing(held, access(held, 3, "{" + ISSUER + ",\"tId\":\"mine\",\"rsub\":\"mallory\"}", key(2), moment - HOUR / 2, A_WHILE));

        state("access token of version 4 with a name that the later version has");
        bearing(held, access(held, 4, "{" + ISSUER + ",\"rsub\":\"mallory\"}", key(2), moment - HOUR / 2, A_WHILE));
    }

    private void damagedRefreshTokens() {
        Held held = begun(HOUR / 2);
        String token = held.refreshToken();
        String[] parts = token.split("\\.");
        Sealed content = core.refreshTokens.get(Core.PUBLIC).open(token);
        RefreshTokens stranger = new RefreshTokens(RefreshTokens.newKey(core.drawn));

        state("refresh token of another key");
        presents(held, stranger.seal(content, core.drawn));

        state("refresh token with another nonce outside");
        presents(held, parts[0] + "." + Hash.once("another") + ".V2");

        state("refresh token cut off");
        presents(held, token.substring(0, token.length() / 2));

        state("refresh token with one bit changed");
        presents(held, (token.charAt(40) == 'A' ? token.substring(0, 40) + "B" : token.substring(0, 40) + "A") + token.substring(41));

        state("refresh token with another version at its end");
        presents(held, parts[0] + "." + parts[1] + ".V1");

        state("refresh token of a session that never was");
        String never = core.drawn.uuid();
        presents(held, core.refreshTokens.get(Core.PUBLIC).seal(new Sealed(never, "alice", null, null, null), core.drawn));

        state("refresh token of an un-promoted child, written otherwise");
        Held parent = begun(DAY);
        String[] child = stepped(parent, A_WHILE).refreshToken().split("\\.");
        presents(parent, child[0].replaceAll("=+$", "") + "." + child[1] + ".v2");
    }

    private void state(String name) {
        state = name;
        edge = false;
    }

    /** A state that holds at the moment itself, and not a millisecond before or after. */
    private void atTheEdge(String name) {
        state = name;
        edge = true;
    }

    private void client(String name, Held held) {
        client(name, held, held.refreshToken(), held.accessToken(), AntiCsrf.OFF);
    }

    private void sending(String antiCsrfToken, String name, Held held) {
        client(name, held, held.refreshToken(), held.accessToken(), new AntiCsrf(true, antiCsrfToken));
    }

    private void bearing(Held held, Signed signed) {
        client("the client", held, held.refreshToken(), signed.text(), AntiCsrf.OFF);
    }

    private void presents(Held held, String refreshToken) {
        client("the client", held, refreshToken, held.accessToken(), AntiCsrf.OFF);
    }

    private void client(String name, Held held, String refreshToken, String accessToken, AntiCsrf antiCsrf) {
        clients.add(new Client(state, name, held, refreshToken, accessToken, antiCsrf, edge));
    }

    private Held begun(long ago) {
        return begun(ago, beginning("alice"));
    }

    private Held begun(long ago, Asked asked) {
        core.now = moment - ago;
        return core.begin(asked.beginning());
    }

    private static Asked beginning(String userId) {
        return new Asked(new Beginning(Core.PUBLIC, Core.PUBLIC, userId, "{" + ISSUER + ",\"plan\":\"free\"}", "{}", false, false));
    }

    private Held rotated(Held held, long ago) {
        return refreshed(Cdi.AT_ONCE, held, ago);
    }

    private Held stepped(Held held, long ago) {
        return refreshed(Cdi.TWO_STEP, held, ago);
    }

    private Held refreshed(Cdi cdi, Held held, long ago) {
        core.now = moment - ago;
        return core.refresh(cdi, held.appId(), held.refreshToken(), AntiCsrf.OFF).held();
    }

    private void promoted(Held held, long ago) {
        core.now = moment - ago;
        core.promote(held);
    }

    private String keyOf(Held held) {
        Sealed opened = core.refreshTokens.get(held.appId()).open(held.refreshToken());
        return Core.at(held.appId(), opened.tenantId(), opened.sessionHandle());
    }

    private void change(Held held, java.util.function.UnaryOperator<Row> change) {
        core.keep(change.apply(core.sessions.get(keyOf(held))));
    }

    private SigningKey key(int index) {
        return core.keys.get(index);
    }

    private record Signed(String text) {}

    /** Another access token for the session of a client. */
    private Signed access(Held held, int version, String payload, SigningKey key, long issuedAt, long validity) {
        Row row = core.sessions.get(keyOf(held));
        AccessToken token = new AccessToken(
            version, row.handle(), row.tenantId(), row.userId(), row.userId(), Hash.once(held.refreshToken()), null, null,
            Json.read(payload), issuedAt, issuedAt + validity);
        return new Signed(token.signed(key));
    }

    /** The core's id of a user: always the same for the same name. */
    private String user(String name) {
        String id = new Drawn("user " + name).uuid();
        core.primaryOf.putIfAbsent(Core.at(Core.PUBLIC, id), id);
        return id;
    }

    private void map(String name, String externalId) {
        core.externalOf.put(Core.at(Core.PUBLIC, user(name)), externalId);
    }

    private void link(String name, String primary) {
        core.primaryOf.put(Core.at(Core.PUBLIC, user(name)), user(primary));
    }

    /** How a session is begun, said step by step. */
    private record Asked(Beginning beginning) {
        Asked in(String appId, String tenantId) {
            return changed(appId, tenantId, beginning.payload(), beginning.data(), beginning.antiCsrf(), beginning.useStaticKey());
        }

        Asked with(String payload) {
            return changed(beginning.appId(), beginning.tenantId(), payload, beginning.data(), beginning.antiCsrf(), beginning.useStaticKey());
        }

        Asked withData(String data) {
            return changed(beginning.appId(), beginning.tenantId(), beginning.payload(), data, beginning.antiCsrf(), beginning.useStaticKey());
        }

        Asked withAntiCsrf() {
            return changed(beginning.appId(), beginning.tenantId(), beginning.payload(), beginning.data(), true, beginning.useStaticKey());
        }

        Asked withStaticKey() {
            return changed(beginning.appId(), beginning.tenantId(), beginning.payload(), beginning.data(), beginning.antiCsrf(), true);
        }

        private Asked changed(String appId, String tenantId, String payload, String data, boolean antiCsrf, boolean useStaticKey) {
            return new Asked(new Beginning(appId, tenantId, beginning.userId(), payload, data, antiCsrf, useStaticKey));
        }
    }
}
