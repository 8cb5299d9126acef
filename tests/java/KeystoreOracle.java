import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Scanner;

/**
 * What Java sees in keystores. One request a line on standard input, fields separated by tabs, text in base64:
 * number, type, path, password ("-" for null), then any number of alias:password pairs of keys to open.
 * Answers: "number load ok|error message", then one line an entry:
 * "number entry alias kind created chain", and "number key alias ok|error algorithm-or-message sha256(encoded)".
 */
public class KeystoreOracle {
    public static void main(String[] args) throws Exception {
        Scanner lines = new Scanner(System.in, StandardCharsets.UTF_8);
        while (lines.hasNextLine()) {
            String[] fields = lines.nextLine().split("\t", -1);
            answer(fields);
        }
    }

    private static void answer(String[] fields) throws Exception {
        String number = fields[0];
        char[] password = fields[3].equals("-") ? null : text(fields[3]).toCharArray();
        KeyStore store = KeyStore.getInstance(fields[1]);
        try {
            store.load(new ByteArrayInputStream(Files.readAllBytes(Path.of(fields[2]))), password);
        } catch (Exception e) {
            print(number, "load", "error", e.toString());
            return;
        }
        print(number, "load", "ok", "");
        List<String> aliases = new ArrayList<>(Collections.list(store.aliases()));
        Collections.sort(aliases);
        for (String alias : aliases) {
            entry(number, store, alias);
        }
        for (int i = 4; i < fields.length; i++) {
            String[] pair = fields[i].split(":", 2);
            key(number, store, text(pair[0]), text(pair[1]).toCharArray());
        }
    }

    private static void entry(String number, KeyStore store, String alias) throws Exception {
        String kind = "none";
        String chain;
        try {
            if (store.entryInstanceOf(alias, KeyStore.TrustedCertificateEntry.class)) {
                kind = "trustedCertEntry";
            } else if (store.entryInstanceOf(alias, KeyStore.PrivateKeyEntry.class)) {
                kind = "PrivateKeyEntry";
            } else if (store.entryInstanceOf(alias, KeyStore.SecretKeyEntry.class)) {
                kind = "SecretKeyEntry";
            }
            chain = chain(store, alias);
        } catch (RuntimeException e) {
            kind = "error";
            chain = e.toString();
        }
        var created = store.getCreationDate(alias);
        print(number, "entry", base64(alias), kind, created == null ? "-" : "" + created.getTime(), chain);
    }

    private static String chain(KeyStore store, String alias) throws Exception {
        Certificate[] certificates = store.getCertificateChain(alias);
        if (certificates == null) {
            Certificate one = store.getCertificate(alias);
            certificates = one == null ? new Certificate[0] : new Certificate[] {one};
        }
        List<String> digests = new ArrayList<>();
        for (Certificate certificate : certificates) {
            digests.add(sha256(certificate.getEncoded()));
        }
        return String.join(",", digests);
    }

    private static void key(String number, KeyStore store, String alias, char[] password) {
        try {
            Key key = store.getKey(alias, password);
            String algorithm = key == null ? "null" : key.getAlgorithm();
            print(number, "key", base64(alias), "ok", algorithm, key == null ? "" : sha256(key.getEncoded()));
        } catch (Exception e) {
            print(number, "key", base64(alias), "error", e.toString(), "");
        }
    }

    private static void print(String... fields) {
        System.out.println(String.join("\t", fields).replace('\n', ' '));
    }

    private static String sha256(byte[] bytes) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    private static String text(String base64) {
        return new String(Base64.getDecoder().decode(base64), StandardCharsets.UTF_8);
    }

    private static String base64(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }
}
