import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.util.Base64;
import java.util.Date;
import java.util.LinkedHashSet;
import java.util.Set;
import javax.net.ssl.CertPathTrustManagerParameters;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import sun.security.util.HostnameChecker;

/**
 * Answers what this JDK thinks of a chain: one case a line on standard input, one verdict a line on standard output.
 *
 * Input fields (tab): id, milliseconds since 1970, host ("-": no check), anchors, chain (base64 DER, comma between).
 * Output fields (tab): id, accept | reject | name, the messages of the exception and of its causes (" <- " between).
 */
class TrustOracle {
    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] fields = line.split("\t", -1);
            System.out.println(fields[0] + "\t" + verdict(fields));
        }
    }

    private static String verdict(String[] fields) {
        X509Certificate[] chain;
        try {
            chain = certificates(fields[4]);
            manager(fields).checkServerTrusted(chain, "UNKNOWN");
        } catch (Exception refused) {
            return "reject\t" + words(refused);
        }
        if (fields[2].equals("-")) {
            return "accept\t";
        }
        try {
            HostnameChecker.getInstance(HostnameChecker.TYPE_TLS).match(fields[2], chain[0], false);
        } catch (Exception refused) {
            return "name\t" + words(refused);
        }
        return "accept\t";
    }

    private static X509TrustManager manager(String[] fields) throws Exception {
        Set<TrustAnchor> anchors = new LinkedHashSet<>();
        for (X509Certificate one : certificates(fields[3])) {
            anchors.add(new TrustAnchor(one, null));
        }
        PKIXBuilderParameters parameters = new PKIXBuilderParameters(anchors, new X509CertSelector());
        parameters.setRevocationEnabled(false);
        parameters.setDate(new Date(Long.parseLong(fields[1])));
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(new CertPathTrustManagerParameters(parameters));
        return (X509TrustManager) factory.getTrustManagers()[0];
    }

    private static X509Certificate[] certificates(String field) throws Exception {
        if (field.isEmpty()) {
            return new X509Certificate[0];
        }
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        String[] texts = field.split(",");
        X509Certificate[] chain = new X509Certificate[texts.length];
        for (int at = 0; at < texts.length; at++) {
            byte[] der = Base64.getDecoder().decode(texts[at]);
            chain[at] = (X509Certificate) factory.generateCertificate(new ByteArrayInputStream(der));
        }
        return chain;
    }

    private static String words(Throwable thrown) {
        StringBuilder text = new StringBuilder();
        for (Throwable at = thrown; at != null; at = at.getCause()) {
            text.append(text.length() == 0 ? "" : " <- ").append(at);
        }
        return text.toString().replaceAll("\\s+", " ");
    }
}
