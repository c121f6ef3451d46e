import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Base64;
import java.util.Map;
import javax.crypto.Cipher;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.SecretKeySpec;

/** What a refresh token says. Absent is null; the tenant `public` is absent. */
record Sealed(String sessionHandle, String userId, String parentHash1, String antiCsrfToken, String tenantId) {}

/** Refresh tokens of an app: JSON that its key seals, then a nonce that is inside too, then the version. */
record RefreshTokens(String key) {
    private static final int IV = 12;

    /** A new key, as `key_value` has it: rounds, salt and key, of which the whole text is the password. */
    static String newKey(Drawn drawn) {
        byte[] salt = drawn.bytes(64);
        return "1000:" + Hash.hex(salt) + ":" + Hash.hex(derived(Hash.hex(drawn.bytes(64)), salt, 1000, 64));
    }

    String seal(Sealed content, Drawn drawn) {
        String nonce = Hash.once(drawn.uuid());
        Map<String, Object> json = Json.object("sessionHandle", content.sessionHandle(), "userId", content.userId());
        putIfThere(json, "parentRefreshTokenHash1", content.parentHash1());
        json.put("nonce", nonce);
        putIfThere(json, "antiCsrfToken", content.antiCsrfToken());
        putIfThere(json, "tenantId", content.tenantId());
        byte[] iv = drawn.bytes(IV);
        byte[] sealed = cipher(Cipher.ENCRYPT_MODE, iv, Json.writtenForHtml(json).getBytes(StandardCharsets.UTF_8));
        byte[] all = ByteBuffer.allocate(IV + sealed.length).put(iv).put(sealed).array();
        return Base64.getEncoder().encodeToString(all) + "." + nonce + ".V2";
    }

    /** Null if the token is none of this key, or not of this form. */
    Sealed open(String token) {
        String[] parts = token.split("\\.");
        if (parts.length != 3 || !parts[2].matches("[Vv][012]")) {
            return null;
        }
        try {
            byte[] all = Base64.getDecoder().decode(parts[0]);
            byte[] iv = java.util.Arrays.copyOf(all, IV);
            byte[] content = java.util.Arrays.copyOfRange(all, IV, all.length);
            Map<String, Object> json = Json.read(new String(cipher(Cipher.DECRYPT_MODE, iv, content), StandardCharsets.UTF_8));
            return parts[1].equals(json.get("nonce")) ? read(json) : null;
        } catch (RuntimeException notOurs) {
            return null;
        }
    }

    private static Sealed read(Map<String, Object> json) {
        return new Sealed(
            (String) json.get("sessionHandle"),
            (String) json.get("userId"),
            (String) json.get("parentRefreshTokenHash1"),
            (String) json.get("antiCsrfToken"),
            (String) json.getOrDefault("tenantId", Core.PUBLIC));
    }

    private byte[] cipher(int mode, byte[] iv, byte[] content) {
        try {
            Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
            cipher.init(mode, new SecretKeySpec(derived(key, iv, 100, 32), "AES"), new GCMParameterSpec(128, iv));
            return cipher.doFinal(content);
        } catch (GeneralSecurityException failed) {
            throw new IllegalArgumentException(failed);
        }
    }

    private static byte[] derived(String password, byte[] salt, int rounds, int length) {
        try {
            PBEKeySpec asked = new PBEKeySpec(password.toCharArray(), salt, rounds, length * 8);
            return SecretKeyFactory.getInstance("PBKDF2WithHmacSHA512").generateSecret(asked).getEncoded();
        } catch (GeneralSecurityException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    private static void putIfThere(Map<String, Object> json, String name, String value) {
        if (value != null) {
            json.put(name, value);
        }
    }
}
