import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.RSAPrivateCrtKeySpec;
import java.security.spec.RSAPublicKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;

/** An RSA key, as its row has it: public X.509 and private PKCS#8 in base64, with a separator between them. */
record SigningKey(String appId, String kid, long createdAt, String stored) {
    static final BigInteger EXPONENT = BigInteger.valueOf(65537);

    boolean isStatic() {
        return kid.startsWith("s-");
    }

    static String newPair(Drawn drawn, String separator) {
        BigInteger p = drawn.prime(1024);
        BigInteger q = drawn.prime(1024);
        BigInteger n = p.multiply(q);
        BigInteger p1 = p.subtract(BigInteger.ONE);
        BigInteger q1 = q.subtract(BigInteger.ONE);
        BigInteger d = EXPONENT.modInverse(p1.multiply(q1));
        RSAPrivateCrtKeySpec whole = new RSAPrivateCrtKeySpec(n, EXPONENT, d, p, q, d.mod(p1), d.mod(q1), q.modInverse(p));
        try {
            byte[] publicKey = rsa().generatePublic(new RSAPublicKeySpec(n, EXPONENT)).getEncoded();
            byte[] privateKey = rsa().generatePrivate(whole).getEncoded();
            return Base64.getEncoder().encodeToString(publicKey) + separator + Base64.getEncoder().encodeToString(privateKey);
        } catch (GeneralSecurityException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    byte[] sign(String text) {
        try {
            PrivateKey key = rsa().generatePrivate(new PKCS8EncodedKeySpec(part(1)));
            Signature signature = Signature.getInstance("SHA256withRSA");
            signature.initSign(key);
            signature.update(text.getBytes(StandardCharsets.UTF_8));
            return signature.sign();
        } catch (GeneralSecurityException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    boolean signed(String text, byte[] signed) {
        try {
            PublicKey key = rsa().generatePublic(new X509EncodedKeySpec(part(0)));
            Signature signature = Signature.getInstance("SHA256withRSA");
            signature.initVerify(key);
            signature.update(text.getBytes(StandardCharsets.UTF_8));
            return signature.verify(signed);
        } catch (GeneralSecurityException notIt) {
            return false;
        }
    }

    private byte[] part(int index) {
        return Base64.getDecoder().decode(stored.split("[|;]")[index]);
    }

    private static KeyFactory rsa() throws GeneralSecurityException {
        return KeyFactory.getInstance("RSA");
    }
}
