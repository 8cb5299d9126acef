import java.io.FileInputStream;
import java.io.InputStream;
import java.net.Socket;
import java.security.KeyStore;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedKeyManager;

/** Opens keystores as a Java program would and connects with one of their keys. Arguments: type file alias port, repeated. */
public class MutualTlsClient {
    public static void main(String[] arguments) {
        for (int at = 0; at < arguments.length; at += 4) {
            String name = arguments[at + 1] + " " + arguments[at + 2];
            try {
                connect(arguments[at], arguments[at + 1], arguments[at + 2], Integer.parseInt(arguments[at + 3]));
                System.out.println("ok " + name);
            } catch (Exception error) {
                System.out.println("failed " + name + ": " + error);
            }
        }
    }

    private static void connect(String type, String file, String alias, int port) throws Exception {
        char[] password = "changeit".toCharArray();
        KeyStore store = KeyStore.getInstance(type);
        try (InputStream stream = new FileInputStream(file)) {
            store.load(stream, password);
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance("SunX509");
        keys.init(store, password);
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        X509ExtendedKeyManager all = (X509ExtendedKeyManager) keys.getKeyManagers()[0];
        context.init(new KeyManager[] {new OneAlias(all, alias)}, trust.getTrustManagers(), null);
        try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", port)) {
            socket.setSoTimeout(10000);
            socket.startHandshake();
            // The server says "hello" only to whom it accepted: in TLS 1.3 the handshake alone proves nothing.
            String answer = new String(socket.getInputStream().readNBytes(5));
            if (!answer.equals("hello")) {
                throw new IllegalStateException("the server said " + answer);
            }
        }
    }

    /** Presents the key of one alias, as a receiver channel that names it does. */
    private static final class OneAlias extends X509ExtendedKeyManager {
        private final X509ExtendedKeyManager all;
        private final String alias;

        OneAlias(X509ExtendedKeyManager all, String alias) {
            this.all = all;
            this.alias = alias;
        }

        @Override public String[] getClientAliases(String keyType, Principal[] issuers) { return new String[] {alias}; }
        @Override public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) { return alias; }
        @Override public String[] getServerAliases(String keyType, Principal[] issuers) { return null; }
        @Override public String chooseServerAlias(String type, Principal[] issuers, Socket socket) { return null; }
        @Override public X509Certificate[] getCertificateChain(String name) { return all.getCertificateChain(name); }
        @Override public PrivateKey getPrivateKey(String name) { return all.getPrivateKey(name); }
    }
}
