import java.io.FileInputStream;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Signature;

/**
 * A program that uses its key as any would: type, file, alias; the password of the keystore comes from PASSWORD. Signs
 * with the private key, verifies with the certificate, and prints "verified" and the key's algorithm.
 */
public class KeyUser {
    public static void main(String[] args) throws Exception {
        char[] password = System.getenv("PASSWORD").toCharArray();
        KeyStore store = KeyStore.getInstance(args[0]);
        try (FileInputStream file = new FileInputStream(args[1])) {
            store.load(file, password);
        }
        PrivateKey key = (PrivateKey) store.getKey(args[2], password);
        String algorithm = switch (key.getAlgorithm()) {
            case "RSA" -> "SHA256withRSA";
            case "EC" -> "SHA256withECDSA";
            default -> "Ed25519";
        };
        byte[] message = "whatever has to be signed".getBytes(StandardCharsets.UTF_8);
        Signature signature = Signature.getInstance(algorithm);
        signature.initSign(key);
        signature.update(message);
        byte[] signed = signature.sign();
        signature.initVerify(store.getCertificate(args[2]));
        signature.update(message);
        System.out.println((signature.verify(signed) ? "verified " : "WRONG ") + key.getAlgorithm());
    }
}
