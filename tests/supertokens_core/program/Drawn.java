import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.stream.IntStream;

/** What a real core would draw at random, drawn from a seed instead: the same seed gives the same data, byte for byte, on every JDK. */
final class Drawn {
    /** The product of small primes, by which most numbers are told apart from primes at little cost. */
    private static final BigInteger SMALL_PRIMES =
        IntStream.range(3, 2000).mapToObj(BigInteger::valueOf).filter(each -> each.isProbablePrime(50)).reduce(BigInteger.ONE, BigInteger::multiply);

    private final String seed;
    private long count;

    Drawn(String seed) {
        this(seed, 0);
    }

    private Drawn(String seed, long count) {
        this.seed = seed;
        this.count = count;
    }

    Drawn copy() {
        return new Drawn(seed, count);
    }

    byte[] bytes(int length) {
        ByteBuffer drawn = ByteBuffer.allocate((length / 32 + 1) * 32);
        while (drawn.hasRemaining()) {
            drawn.put(Hash.sha256((seed + ":" + count++).getBytes(StandardCharsets.UTF_8)));
        }
        return java.util.Arrays.copyOf(drawn.array(), length);
    }

    String uuid() {
        byte[] bytes = bytes(16);
        bytes[6] = (byte) (bytes[6] & 0x0f | 0x40);
        bytes[8] = (byte) (bytes[8] & 0x3f | 0x80);
        String hex = Hash.hex(bytes);
        return String.join("-", hex.substring(0, 8), hex.substring(8, 12), hex.substring(12, 16), hex.substring(16, 20), hex.substring(20));
    }

    /** A prime with both of its highest bits set, so that the product of two has all of its bits, and that e = 65537 suits. */
    BigInteger prime(int bits) {
        while (true) {
            BigInteger candidate = new BigInteger(1, bytes(bits / 8)).setBit(0).setBit(bits - 1).setBit(bits - 2);
            boolean suits = !candidate.mod(SigningKey.EXPONENT).equals(BigInteger.ONE);
            if (suits && candidate.gcd(SMALL_PRIMES).equals(BigInteger.ONE) && candidate.isProbablePrime(60)) {
                return candidate;
            }
        }
    }
}

/** SHA-256, as the core writes it: hexadecimal, of a text's UTF-8. */
final class Hash {
    static String once(String text) {
        return hex(sha256(text.getBytes(StandardCharsets.UTF_8)));
    }

    static String twice(String text) {
        return once(once(text));
    }

    static byte[] sha256(byte[] bytes) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(bytes);
        } catch (java.security.NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    static String hex(byte[] bytes) {
        return java.util.HexFormat.of().formatHex(bytes);
    }
}
