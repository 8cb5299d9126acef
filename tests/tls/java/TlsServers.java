import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * TLS servers of this JDK on loopback, one for each version and policy towards client certificates.
 *
 * Arguments: the chain (PEM), its EC key (PKCS#8), the CA of accepted clients (PEM). Prints "version policy port" for
 * each server and runs until its standard input ends.
 */
class TlsServers {
    private static final char[] PASSWORD = "changeit".toCharArray();

    public static void main(String[] arguments) throws Exception {
        SSLContext context = context(arguments);
        for (String version : new String[] {"TLSv1.2", "TLSv1.3"}) {
            for (String policy : new String[] {"none", "optional", "required"}) {
                start(context, version, policy);
            }
        }
        while (System.in.read() >= 0) {
            continue;
        }
        System.exit(0);
    }

    private static SSLContext context(String[] arguments) throws Exception {
        PrivateKey key = KeyFactory.getInstance("EC")
                .generatePrivate(new PKCS8EncodedKeySpec(Files.readAllBytes(Path.of(arguments[1]))));
        KeyStore keys = empty();
        keys.setKeyEntry("server", key, PASSWORD, certificates(arguments[0]));
        KeyStore trusted = empty();
        trusted.setCertificateEntry("clients", certificates(arguments[2])[0]);
        KeyManagerFactory keyManagers = KeyManagerFactory.getInstance("SunX509");
        keyManagers.init(keys, PASSWORD);
        TrustManagerFactory trustManagers = TrustManagerFactory.getInstance("PKIX");
        trustManagers.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keyManagers.getKeyManagers(), trustManagers.getTrustManagers(), null);
        return context;
    }

    private static void start(SSLContext context, String version, String policy) throws IOException {
        SSLServerSocket listener = (SSLServerSocket) context.getServerSocketFactory()
                .createServerSocket(0, 64, InetAddress.getLoopbackAddress());
        listener.setEnabledProtocols(new String[] {version});
        listener.setWantClientAuth(policy.equals("optional"));
        if (policy.equals("required")) {
            listener.setNeedClientAuth(true);
        }
        System.out.println(version + " " + policy + " " + listener.getLocalPort());
        daemon(() -> accept(listener));
    }

    private static void accept(SSLServerSocket listener) {
        while (true) {
            try {
                SSLSocket peer = (SSLSocket) listener.accept();
                daemon(() -> serve(peer));
            } catch (IOException closed) {
                return;
            }
        }
    }

    private static void serve(SSLSocket peer) {
        try (peer; InputStream input = peer.getInputStream()) {
            peer.setSoTimeout(10_000);
            while (input.read() >= 0) {
                continue;
            }
        } catch (IOException refused) {
            return;
        }
    }

    private static void daemon(Runnable work) {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        thread.start();
    }

    private static KeyStore empty() throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }

    private static Certificate[] certificates(String path) throws Exception {
        try (InputStream input = new FileInputStream(path)) {
            return CertificateFactory.getInstance("X.509").generateCertificates(input).toArray(new Certificate[0]);
        }
    }
}
