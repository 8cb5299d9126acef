import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import javax.security.auth.x500.X500Principal;

/** Reads names as DER in hexadecimal, one a line, and prints the canonical form of each as UTF-8 in hexadecimal. */
public class CanonicalNames {
    public static void main(String[] args) throws Exception {
        HexFormat hex = HexFormat.of();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            String answer;
            try {
                answer = hex.formatHex(new X500Principal(hex.parseHex(line)).getName(X500Principal.CANONICAL)
                    .getBytes(StandardCharsets.UTF_8));
            } catch (IllegalArgumentException e) {
                answer = "refused";
            }
            System.out.println("=" + answer);
        }
    }
}
