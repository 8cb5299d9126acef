import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * A Java program that trusts what a keystore holds: for each line "keystore TAB host TAB port" on its standard input
 * it opens the keystore afresh, connects, and prints "ok" or what Java says.
 */
class TlsClient {
    private static final char[] PASSWORD = "changeit".toCharArray();

    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] fields = line.split("\t");
            System.out.println(answer(fields[0], fields[1], Integer.parseInt(fields[2])));
            System.out.flush();
        }
    }

    private static String answer(String keystore, String host, int port) {
        try (SSLSocket socket = (SSLSocket) context(keystore).getSocketFactory().createSocket(host, port)) {
            SSLParameters parameters = socket.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            socket.setSSLParameters(parameters);
            socket.setSoTimeout(10_000);
            socket.startHandshake();
            return "ok";
        } catch (Exception error) {
            return String.valueOf(error.getMessage()).replace('\n', ' ');
        }
    }

    private static SSLContext context(String path) throws Exception {
        KeyStore keystore = KeyStore.getInstance("PKCS12");
        try (InputStream input = new FileInputStream(path)) {
            keystore.load(input, PASSWORD);
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(keystore);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }
}
