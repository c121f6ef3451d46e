import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What an access token says. Moments are milliseconds; a token of version 3 or later keeps only whole seconds of them. */
record AccessToken(
    int version,
    String sessionHandle,
    String tenantId,
    String recipeUserId,
    String primaryUserId,
    String hash1,
    String parentHash1,
    String antiCsrfToken,
    Map<String, Object> payload,
    long issuedAt,
    long expiresAt) {

    private static final List<String> NAMES_3 =
        List.of("sub", "exp", "iat", "sessionHandle", "refreshTokenHash1", "parentRefreshTokenHash1", "antiCsrfToken");

    /** The names that belong to the core in a token of this version. */
    static boolean isProtected(int version, String name) {
        return NAMES_3.contains(name) || version >= 4 && name.equals("tId") || version >= 5 && name.equals("rsub");
    }

    /** As the core signs it: a library of its writes the moments and the header first, an older way is the core's own. */
    String signed(SigningKey key) {
        String text = version == 2 ? legacy() : modern(key.kid());
        Base64.Encoder encoder = version == 2 ? Base64.getEncoder() : Base64.getUrlEncoder().withoutPadding();
        return text + "." + encoder.encodeToString(key.sign(text));
    }

    private String modern(String kid) {
        Map<String, Object> header = Json.object("kid", kid, "typ", "JWT", "version", "" + version, "alg", "RS256");
        Map<String, Object> claims = Json.object("iat", issuedAt / 1000, "exp", expiresAt / 1000, "sub", primaryUserId);
        if (version >= 4) {
            claims.put("tId", tenantId);
        }
        if (version >= 5) {
            claims.put("rsub", recipeUserId);
        }
        claims.put("sessionHandle", sessionHandle);
        claims.put("refreshTokenHash1", hash1);
        claims.put("parentRefreshTokenHash1", parentHash1);
        claims.put("antiCsrfToken", antiCsrfToken);
        claims.putAll(payload);
        Base64.Encoder encoder = Base64.getUrlEncoder().withoutPadding();
        return encoded(encoder, header) + "." + encoded(encoder, claims);
    }

    private String legacy() {
        Map<String, Object> claims = Json.object("userId", primaryUserId, "expiryTime", expiresAt, "timeCreated", issuedAt);
        claims.put("sessionHandle", sessionHandle);
        claims.put("refreshTokenHash1", hash1);
        if (parentHash1 != null) {
            claims.put("parentRefreshTokenHash1", parentHash1);
        }
        if (antiCsrfToken != null) {
            claims.put("antiCsrfToken", antiCsrfToken);
        }
        claims.put("userData", payload);
        Map<String, Object> header = Json.object("alg", "RS256", "typ", "JWT", "version", "2");
        return encoded(Base64.getEncoder(), header) + "." + encoded(Base64.getEncoder(), claims);
    }

    private static String encoded(Base64.Encoder encoder, Map<String, Object> json) {
        return encoder.encodeToString(Json.written(json).getBytes(StandardCharsets.UTF_8));
    }

    /** What the token says, if one of the keys signed it; else null. */
    static AccessToken verified(String token, List<SigningKey> keys) {
        String[] parts = token.split("\\.");
        Map<String, Object> header = decoded(parts[0]);
        int version = Integer.parseInt((String) header.get("version"));
        byte[] signature = bytes(parts[2]);
        for (SigningKey key : keys) {
            boolean meant = version == 2 || key.kid().equals(header.get("kid"));
            if (meant && key.signed(parts[0] + "." + parts[1], signature)) {
                return read(version, decoded(parts[1]));
            }
        }
        return null;
    }

    private static AccessToken read(int version, Map<String, Object> claims) {
        boolean modern = version >= 3;
        Map<String, Object> payload = modern ? new LinkedHashMap<>(claims) : castToObject(claims.get("userData"));
        payload.keySet().removeIf(name -> modern && isProtected(version, name));
        String sub = (String) claims.get(modern ? "sub" : "userId");
        return new AccessToken(
            version,
            (String) claims.get("sessionHandle"),
            version >= 4 ? (String) claims.get("tId") : Core.PUBLIC,
            version >= 5 ? (String) claims.get("rsub") : sub,
            sub,
            (String) claims.get("refreshTokenHash1"),
            (String) claims.get("parentRefreshTokenHash1"),
            (String) claims.get("antiCsrfToken"),
            payload,
            modern ? (long) claims.get("iat") * 1000 : (long) claims.get("timeCreated"),
            modern ? (long) claims.get("exp") * 1000 : (long) claims.get("expiryTime"));
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> castToObject(Object json) {
        return (Map<String, Object>) json;
    }

    private static Map<String, Object> decoded(String part) {
        return Json.read(new String(bytes(part), StandardCharsets.UTF_8));
    }

    private static byte[] bytes(String part) {
        return Base64.getDecoder().decode(part.replace('-', '+').replace('_', '/'));
    }
}
