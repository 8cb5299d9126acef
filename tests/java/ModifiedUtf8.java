import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.HexFormat;
import java.util.Scanner;

/**
 * `DataOutputStream.writeUTF` and `DataInputStream.readUTF`. One request a line: "encode" with UTF-16BE in hexadecimal,
 * or "decode" with bytes in hexadecimal. One answer a line: the other form in hexadecimal, or "error".
 */
public class ModifiedUtf8 {
    public static void main(String[] args) {
        Scanner lines = new Scanner(System.in);
        StringBuilder answers = new StringBuilder();
        while (lines.hasNextLine()) {
            String[] fields = lines.nextLine().split(" ", -1);
            byte[] bytes = HexFormat.of().parseHex(fields[1]);
            try {
                answers.append(HexFormat.of().formatHex(fields[0].equals("encode") ? encode(bytes) : decode(bytes)));
            } catch (IOException e) {
                answers.append("error");
            }
            answers.append('\n');
        }
        System.out.print(answers);
    }

    private static byte[] encode(byte[] utf16) throws IOException {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < utf16.length; i += 2) {
            text.append((char) ((utf16[i] & 0xff) << 8 | utf16[i + 1] & 0xff));
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        new DataOutputStream(out).writeUTF(text.toString());
        return java.util.Arrays.copyOfRange(out.toByteArray(), 2, out.size());
    }

    private static byte[] decode(byte[] bytes) throws IOException {
        ByteArrayOutputStream in = new ByteArrayOutputStream();
        in.write(bytes.length >> 8);
        in.write(bytes.length);
        in.write(bytes);
        String text = new DataInputStream(new ByteArrayInputStream(in.toByteArray())).readUTF();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (char unit : text.toCharArray()) {
            out.write(unit >> 8);
            out.write(unit);
        }
        return out.toByteArray();
    }
}
