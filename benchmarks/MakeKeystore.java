import java.io.FileOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Writes a keystore as Java does: every NAME.der of a directory, as a key pair where a NAME.key lies beside it. */
class MakeKeystore {
    public static void main(String[] arguments) throws Exception {
        Path directory = Path.of(arguments[0]);
        char[] password = System.getenv("BENCHMARK_PASSWORD").toCharArray();
        List<Path> certificates;
        try (Stream<Path> files = Files.list(directory)) {
            certificates = files.filter(file -> file.toString().endsWith(".der")).sorted().collect(Collectors.toList());
        }
        CertificateFactory reader = CertificateFactory.getInstance("X.509");
        for (int place = 1; place < arguments.length; place += 2) {
            KeyStore store = KeyStore.getInstance(arguments[place]);
            store.load(null, password);
            for (Path file : certificates) {
                String alias = file.getFileName().toString().replace(".der", "");
                Certificate certificate;
                try (var stream = Files.newInputStream(file)) {
                    certificate = reader.generateCertificate(stream);
                }
                Path key = directory.resolve(alias + ".key");
                if (Files.exists(key)) {
                    PrivateKey privateKey = KeyFactory.getInstance("RSA")
                        .generatePrivate(new PKCS8EncodedKeySpec(Files.readAllBytes(key)));
                    store.setKeyEntry(alias, privateKey, password, new Certificate[] {certificate});
                } else {
                    store.setCertificateEntry(alias, certificate);
                }
            }
            try (FileOutputStream out = new FileOutputStream(arguments[place + 1])) {
                store.store(out, password);
            }
        }
    }
}
