import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The interface that a backend speaks: by 5.4 a refresh token is rotated in two steps, by 5.6 at once, with a grace period. */
enum Cdi {
    TWO_STEP("5.4"),
    AT_ONCE("5.6");

    final String version;

    Cdi(String version) {
        this.version = version;
    }
}

/** A row of `session_info`. */
record Row(
    String appId,
    String tenantId,
    String handle,
    String userId,
    String hash2,
    String data,
    long expiresAt,
    String payload,
    long createdAt,
    boolean useStaticKey,
    String prev,
    Long rotatedAt) {

    Row moved(String hash2, String prev, Long rotatedAt, long expiresAt) {
        return new Row(appId, tenantId, handle, userId, hash2, data, expiresAt, payload, createdAt, useStaticKey, prev, rotatedAt);
    }

    Row with(String userId, String data, String payload) {
        return new Row(appId, tenantId, handle, userId, hash2, data, expiresAt, payload, createdAt, useStaticKey, prev, rotatedAt);
    }
}

/** What a client was given. The access token is null if its payload could not be signed, and it is signed only if it is asked for. */
record Held(String appId, String refreshToken, String antiCsrfToken, AccessToken access, SigningKey key) {
    String accessToken() {
        return access.signed(key);
    }
}

/** What the core answers: an outcome to write down, and if there are any, new tokens. */
record Answer(Map<String, Object> outcome, Held held) {}

/** How a session is begun. */
record Beginning(String appId, String tenantId, String userId, String payload, String data, boolean antiCsrf, boolean useStaticKey) {}

/** A core with its tables, at a moment that is set by hand: how sessions begin, are refreshed and verified. */
final class Core {
    static final String PUBLIC = "public";
    static final long ACCESS_TOKEN_VALIDITY = 3_600_000;
    static final long REFRESH_TOKEN_VALIDITY = 100 * 86_400_000L;
    static final long GRACE_PERIOD = 30_000;
    static final long KEY_LIFETIME = 168 * 3_600_000L + 2 * ACCESS_TOKEN_VALIDITY;

    long now;
    final Drawn drawn;
    final Map<String, RefreshTokens> refreshTokens = new LinkedHashMap<>();
    final List<SigningKey> keys = new ArrayList<>();
    final Map<String, Row> sessions = new LinkedHashMap<>();
    final Map<String, String> primaryOf = new LinkedHashMap<>();
    final Map<String, String> externalOf = new LinkedHashMap<>();

    Core(Drawn drawn) {
        this.drawn = drawn;
    }

    Core copy() {
        Core copy = new Core(drawn.copy());
        copy.now = now;
        copy.refreshTokens.putAll(refreshTokens);
        copy.keys.addAll(keys);
        copy.sessions.putAll(sessions);
        copy.primaryOf.putAll(primaryOf);
        copy.externalOf.putAll(externalOf);
        return copy;
    }

    static String at(String... names) {
        return String.join("\n", names);
    }

    Held begin(Beginning asked) {
        String handle = drawn.uuid() + (asked.tenantId().equals(PUBLIC) ? "" : "_" + asked.tenantId());
        String own = ownId(asked.appId(), asked.userId());
        String recipeUserId = externalOf.getOrDefault(at(asked.appId(), own), own);
        Row row = new Row(
            asked.appId(), asked.tenantId(), handle, recipeUserId, "", asked.data(), now + REFRESH_TOKEN_VALIDITY,
            asked.payload(), now, asked.useStaticKey(), null, null);
        Held held = minted(row, null, null, asked.antiCsrf());
        keep(row.moved(Hash.twice(held.refreshToken()), null, null, row.expiresAt()));
        return held;
    }

    /** The table of a refresh: what is presented, against what the row has. */
    Answer refresh(Cdi cdi, String appId, String token, AntiCsrf antiCsrf) {
        Sealed opened = refreshTokens.get(appId).open(token);
        if (opened == null) {
            return refused("unauthorised", "not opened");
        }
        if (antiCsrf.enabled() && opened.antiCsrfToken() != null && !opened.antiCsrfToken().equals(antiCsrf.presented())) {
            return refused("unauthorised", "anti-csrf");
        }
        Row row = sessions.get(at(appId, opened.tenantId(), opened.sessionHandle()));
        if (row == null) {
            return refused("unauthorised", "no row");
        }
        if (row.data() == null) {
            return refused("error", "null in the row");
        }
        if (row.expiresAt() < now) {
            return refused("unauthorised", "expired");
        }
        return cdi == Cdi.AT_ONCE ? atOnce(row, token, opened, antiCsrf) : twoStep(row, token, opened, antiCsrf);
    }

    private Answer atOnce(Row row, String token, Sealed opened, AntiCsrf antiCsrf) {
        String presented = Hash.twice(token);
        boolean isCurrent = presented.equals(row.hash2());
        if (isCurrent || isChildOf(opened, row.hash2())) {
            Held held = minted(row, token, null, antiCsrf.enabled());
            keep(row.moved(Hash.twice(held.refreshToken()), presented, now, now + REFRESH_TOKEN_VALIDITY));
            return refreshed(row, isCurrent ? "current" : "child of current", held);
        }
        boolean isPrevious = presented.equals(row.prev());
        if (isPrevious && now <= row.rotatedAt() + GRACE_PERIOD) {
            Held held = minted(row, token, null, antiCsrf.enabled());
            keep(row.moved(Hash.twice(held.refreshToken()), row.prev(), row.rotatedAt(), row.expiresAt()));
            return refreshed(row, "previous", held);
        }
        sessions.remove(at(row.appId(), row.tenantId(), row.handle()));
        boolean isOrphan = row.prev() != null && isChildOf(opened, row.prev());
        return refused("theft", isPrevious ? "previous" : isOrphan ? "child of previous" : "stale");
    }

    private Answer twoStep(Row row, String token, Sealed opened, AntiCsrf antiCsrf) {
        String presented = Hash.twice(token);
        if (presented.equals(row.hash2())) {
            return refreshed(row, "current", minted(row, token, Hash.once(token), antiCsrf.enabled()));
        }
        if (!isChildOf(opened, row.hash2())) {
            return refused("theft", "other");
        }
        Row promoted = row.moved(presented, row.hash2(), now, now + REFRESH_TOKEN_VALIDITY);
        keep(promoted);
        return refreshed(promoted, "child of current", minted(promoted, token, Hash.once(token), antiCsrf.enabled()));
    }

    private static boolean isChildOf(Sealed opened, String hash2) {
        return opened.parentHash1() != null && Hash.once(opened.parentHash1()).equals(hash2);
    }

    /** An access token is verified: without the database as any backend does it, or with it as the core of 12.1 does. */
    Map<String, Object> verify(String appId, String token, boolean withDatabase) {
        AccessToken read = AccessToken.verified(token, keys.stream().filter(key -> verifies(key, appId)).toList());
        if (read == null) {
            return outcome("try refresh", "no key");
        }
        if (read.expiresAt() < now) {
            return outcome("try refresh", "expired");
        }
        if (withDatabase) {
            Row row = sessions.get(at(appId, read.tenantId(), read.sessionHandle()));
            if (row == null) {
                return outcome("unauthorised", "no row");
            }
            if (row.data() == null) {
                return outcome("error", "null in the row");
            }
            if (!isOfLineage(read.hash1(), row) && !isOfLineage(read.parentHash1(), row)) {
                return outcome("unauthorised", "stale");
            }
        }
        return Json.object(
            "outcome", "accepted", "user_id", read.primaryUserId(), "recipe_user_id", read.recipeUserId(),
            "tenant_id", read.tenantId(), "session_handle", read.sessionHandle(), "payload", read.payload());
    }

    private static boolean isOfLineage(String hash1, Row row) {
        return hash1 != null && (Hash.once(hash1).equals(row.hash2()) || Hash.once(hash1).equals(row.prev()));
    }

    /** The first use of an access token makes the refresh token beside it the current one: the second step of 5.4. */
    void promote(Held held) {
        Sealed opened = refreshTokens.get(held.appId()).open(held.refreshToken());
        Row row = sessions.get(at(held.appId(), opened.tenantId(), opened.sessionHandle()));
        if (isChildOf(opened, row.hash2())) {
            keep(row.moved(Hash.twice(held.refreshToken()), row.hash2(), now, now + REFRESH_TOKEN_VALIDITY));
        }
    }

    private boolean verifies(SigningKey key, String appId) {
        return key.appId().equals(appId) && (key.isStatic() || key.createdAt() + KEY_LIFETIME >= now);
    }

    /** The newest key there was. */
    SigningKey signingKey(String appId, boolean useStaticKey) {
        SigningKey found = null;
        for (SigningKey key : keys) {
            boolean suits = key.appId().equals(appId) && key.isStatic() == useStaticKey;
            if (suits && (found == null || found.createdAt() < key.createdAt() && key.createdAt() <= now)) {
                found = key;
            }
        }
        return found;
    }

    void keep(Row row) {
        sessions.put(at(row.appId(), row.tenantId(), row.handle()), row);
    }

    /** New tokens for the session of the row: without an access token if the payload has names that are the core's. */
    private Held minted(Row row, String parent, String parentHash1InAccessToken, boolean antiCsrf) {
        Map<String, Object> payload = Json.read(row.payload());
        String antiCsrfToken = antiCsrf ? drawn.uuid() : null;
        String tenantId = row.tenantId().equals(PUBLIC) ? null : row.tenantId();
        Sealed content = new Sealed(row.handle(), row.userId(), parent == null ? null : Hash.once(parent), antiCsrfToken, tenantId);
        String refreshToken = refreshTokens.get(row.appId()).seal(content, drawn);
        if (payload.keySet().stream().anyMatch(name -> AccessToken.isProtected(5, name))) {
            return new Held(row.appId(), refreshToken, antiCsrfToken, null, null);
        }
        AccessToken access = new AccessToken(
            5, row.handle(), row.tenantId(), row.userId(), userOf(row), Hash.once(refreshToken), parentHash1InAccessToken,
            antiCsrfToken, payload, now, now + ACCESS_TOKEN_VALIDITY);
        return new Held(row.appId(), refreshToken, antiCsrfToken, access, signingKey(row.appId(), row.useStaticKey()));
    }

    /** Whom the session is of: the external id of the primary user of the row's user. */
    String userOf(Row row) {
        Set<String> primaries = new LinkedHashSet<>();
        for (String own : List.of(ownId(row.appId(), row.userId()), row.userId())) {
            String primary = primaryOf.get(at(row.appId(), own));
            if (primary != null) {
                primaries.add(primary);
            }
        }
        for (String primary : primaries) {
            if (externalOf.containsKey(at(row.appId(), primary))) {
                return externalOf.get(at(row.appId(), primary));
            }
        }
        return primaries.isEmpty() ? row.userId() : primaries.iterator().next();
    }

    /** The core's own id of a user whom the application knows by an external one. */
    private String ownId(String appId, String userId) {
        for (Map.Entry<String, String> mapping : externalOf.entrySet()) {
            if (mapping.getValue().equals(userId) && mapping.getKey().startsWith(appId + "\n")) {
                return mapping.getKey().substring(appId.length() + 1);
            }
        }
        return userId;
    }

    private Answer refreshed(Row row, String place, Held held) {
        if (held.access() == null) {
            return refused("unauthorised", "payload");
        }
        return new Answer(
            Json.object(
                "outcome", "refreshed", "place", place, "user_id", userOf(row), "recipe_user_id", row.userId(),
                "tenant_id", row.tenantId()),
            held);
    }

    private static Answer refused(String outcome, String why) {
        return new Answer(outcome(outcome, why), null);
    }

    private static Map<String, Object> outcome(String outcome, String why) {
        return Json.object("outcome", outcome, "why", why);
    }
}

/** Whether a deployment protects by a token of its own, and what the client sends. */
record AntiCsrf(boolean enabled, String presented) {
    static final AntiCsrf OFF = new AntiCsrf(false, null);
}
