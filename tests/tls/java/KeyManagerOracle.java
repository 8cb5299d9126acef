import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.X509KeyManager;
import javax.security.auth.x500.X500Principal;

/**
 * Answers which alias this JDK's key manager would present.
 *
 * Lines "key TAB alias TAB algorithm TAB PKCS#8 TAB chain" fill the keystore; lines "ask TAB key types TAB issuers"
 * are answered with the alias or "null". Binary fields are base64, lists have commas.
 */
class KeyManagerOracle {
    private static final char[] PASSWORD = "changeit".toCharArray();

    public static void main(String[] arguments) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        X509KeyManager manager = null;
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] fields = line.split("\t", -1);
            if (fields[0].equals("key")) {
                store.setKeyEntry(fields[1], key(fields[2], fields[3]), PASSWORD, chain(fields[4]));
                continue;
            }
            manager = manager == null ? manager(store) : manager;
            System.out.println(manager.chooseClientAlias(fields[1].split(","), issuers(fields[2]), null));
        }
    }

    private static X509KeyManager manager(KeyStore store) throws Exception {
        KeyManagerFactory factory = KeyManagerFactory.getInstance("SunX509");
        factory.init(store, PASSWORD);
        return (X509KeyManager) factory.getKeyManagers()[0];
    }

    private static PrivateKey key(String algorithm, String text) throws Exception {
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(decoded(text)));
    }

    private static Certificate[] chain(String field) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        String[] texts = field.split(",");
        Certificate[] chain = new Certificate[texts.length];
        for (int at = 0; at < texts.length; at++) {
            chain[at] = factory.generateCertificate(new ByteArrayInputStream(decoded(texts[at])));
        }
        return chain;
    }

    private static Principal[] issuers(String field) {
        if (field.isEmpty()) {
            return null;
        }
        String[] texts = field.split(",");
        Principal[] issuers = new X500Principal[texts.length];
        for (int at = 0; at < texts.length; at++) {
            issuers[at] = new X500Principal(decoded(texts[at]));
        }
        return issuers;
    }

    private static byte[] decoded(String text) {
        return Base64.getDecoder().decode(text);
    }
}
