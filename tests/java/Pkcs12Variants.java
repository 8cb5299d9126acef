import java.io.ByteArrayInputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.List;

/**
 * Writes the entries of one PKCS#12 file under every protection that the JDK offers.
 * Arguments: the file, its password, the directory for the variants; prints the name of each.
 */
public class Pkcs12Variants {
    private static final List<String> CIPHERS = List.of(
        "PBEWithHmacSHA1AndAES_128", "PBEWithHmacSHA224AndAES_256", "PBEWithHmacSHA256AndAES_128",
        "PBEWithHmacSHA256AndAES_256", "PBEWithHmacSHA384AndAES_256", "PBEWithHmacSHA512AndAES_128",
        "PBEWithHmacSHA512AndAES_256", "PBEWithSHA1AndRC2_40", "PBEWithSHA1AndRC2_128", "PBEWithSHA1AndRC4_40",
        "PBEWithSHA1AndRC4_128", "PBEWithSHA1AndDESede", "NONE");
    private static final List<String> MACS = List.of(
        "HmacPBESHA1", "HmacPBESHA224", "HmacPBESHA256", "HmacPBESHA384", "HmacPBESHA512", "HmacPBESHA512/224",
        "HmacPBESHA512/256", "NONE");

    public static void main(String[] args) throws Exception {
        for (String cipher : CIPHERS) {
            write(args, cipher, "HmacPBESHA256");
        }
        for (String mac : MACS) {
            write(args, "PBEWithHmacSHA256AndAES_256", mac);
        }
        write(args, "NONE", "NONE");
    }

    private static void write(String[] args, String cipher, String mac) throws Exception {
        char[] password = args[1].toCharArray();
        System.setProperty("keystore.pkcs12.certProtectionAlgorithm", cipher);
        System.setProperty("keystore.pkcs12.macAlgorithm", mac);
        System.setProperty("keystore.pkcs12.certPbeIterationCount", "1234");
        System.setProperty("keystore.pkcs12.macIterationCount", "1111");
        KeyStore from = KeyStore.getInstance("PKCS12");
        from.load(new ByteArrayInputStream(Files.readAllBytes(Path.of(args[0]))), password);
        KeyStore to = KeyStore.getInstance("PKCS12");
        to.load(null, null);
        for (String alias : java.util.Collections.list(from.aliases())) {
            if (from.isCertificateEntry(alias)) {
                to.setCertificateEntry(alias, from.getCertificate(alias));
            } else {
                KeyStore.ProtectionParameter given = new KeyStore.PasswordProtection(password);
                KeyStore.ProtectionParameter wanted = cipher.equals("NONE")
                    ? given : new KeyStore.PasswordProtection(password, cipher, null);
                to.setEntry(alias, from.getEntry(alias, given), wanted);
            }
        }
        String name = (cipher + "." + mac).replace('/', '-') + ".p12";
        try (OutputStream out = Files.newOutputStream(Path.of(args[2], name))) {
            to.store(out, password);
        }
        System.out.println(name);
    }
}
