import java.io.FileOutputStream;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * Makes keystores of all three types as an administrator would find them: entries of SAP, a secret key, a key with a
 * password of its own, and ordinary ones. Its argument is a directory with NAME.key (PKCS#8) and NAME.crt (DER).
 */
public class ProtectedStores {
    private static final char[] STORE = "changeit".toCharArray();
    private static final char[] OWN = "its own password".toCharArray();

    private final Path directory;

    private ProtectedStores(Path directory) {
        this.directory = directory;
    }

    public static void main(String[] args) throws Exception {
        for (String type : new String[] {"JKS", "JCEKS", "PKCS12"}) {
            new ProtectedStores(Path.of(args[0])).make(type);
        }
    }

    private void make(String type) throws Exception {
        KeyStore store = KeyStore.getInstance(type);
        store.load(null, null);
        key(store, "sap_cloudintegrationcertificate", STORE);
        store.setCertificateEntry("SAP_Root", certificate("SAP_Root"));
        key(store, "hcicertificate", STORE);
        key(store, "own", OWN);
        key(store, "partner", STORE);
        store.setCertificateEntry("vendor_root", certificate("vendor_root"));
        store.setCertificateEntry("plain_root", certificate("plain_root"));
        if (!type.equals("JKS")) {
            var secret = new KeyStore.SecretKeyEntry(new SecretKeySpec(new byte[32], "AES"));
            store.setEntry("secret", secret, new KeyStore.PasswordProtection(STORE));
        }
        try (FileOutputStream out = new FileOutputStream(directory.resolve(type.toLowerCase()).toFile())) {
            store.store(out, STORE);
        }
    }

    private void key(KeyStore store, String name, char[] password) throws Exception {
        var encoded = new PKCS8EncodedKeySpec(Files.readAllBytes(directory.resolve(name + ".key")));
        PrivateKey key = KeyFactory.getInstance("EC").generatePrivate(encoded);
        store.setKeyEntry(name, key, password, new Certificate[] {certificate(name)});
    }

    private Certificate certificate(String name) throws Exception {
        try (InputStream in = Files.newInputStream(directory.resolve(name + ".crt"))) {
            return CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
    }
}
