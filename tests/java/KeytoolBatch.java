import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.Locale;
import java.util.Scanner;

/**
 * keytool itself, many times in one Java: a command a line on standard input, its arguments separated by tabs, each in
 * base64. Answers a line for each: what keytool printed, in base64. The first error ends it.
 */
public class KeytoolBatch {
    public static void main(String[] args) throws Exception {
        Locale.setDefault(Locale.ENGLISH);
        Scanner lines = new Scanner(System.in, StandardCharsets.UTF_8);
        while (lines.hasNextLine()) {
            String[] command = Arrays.stream(lines.nextLine().split("\t", -1)).map(KeytoolBatch::text).toArray(String[]::new);
            ByteArrayOutputStream printed = new ByteArrayOutputStream();
            try (PrintStream out = new PrintStream(printed, true, StandardCharsets.UTF_8)) {
                keytool(command, out);
            }
            System.out.println(Base64.getEncoder().encodeToString(printed.toByteArray()));
        }
    }

    /** An error ends this Java, as it ends keytool. */
    private static void keytool(String[] command, PrintStream out) throws Exception {
        Class<?> keytool = Class.forName("sun.security.tools.keytool.Main");
        Constructor<?> make = keytool.getDeclaredConstructor();
        Method run = keytool.getDeclaredMethod("run", String[].class, PrintStream.class);
        make.setAccessible(true);
        run.setAccessible(true);
        run.invoke(make.newInstance(), command, out);
    }

    private static String text(String base64) {
        return new String(Base64.getDecoder().decode(base64), StandardCharsets.UTF_8);
    }
}
