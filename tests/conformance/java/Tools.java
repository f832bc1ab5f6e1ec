import java.io.ByteArrayOutputStream;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs the main methods of Apache Kafka's command line tools one after the other in one JVM, since its start costs more than most of them.
 *
 * A command is a line on standard input: the main class and its arguments, separated by tabs. The answer is a line with the exit code and
 * the number of bytes that follow: all that the tool wrote to standard output and standard error.
 */
public final class Tools {
    private static final class Ended extends RuntimeException {
        private Ended(int code) {
            super("exit " + code, null, false, false);
        }
    }

    /** What System.out and System.err are: the buffer of the command that runs. */
    private static final class Capture extends OutputStream {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        @Override
        public synchronized void write(int each) {
            bytes.write(each);
        }

        @Override
        public synchronized void write(byte[] from, int offset, int length) {
            bytes.write(from, offset, length);
        }

        private synchronized byte[] take() {
            byte[] taken = bytes.toByteArray();
            bytes.reset();
            return taken;
        }
    }

    private static final List<Runnable> hooks = new ArrayList<>();
    private static final Capture capture = new Capture();

    /** The first exit of the command that runs: some tools catch what ends them, complain about it, and exit once more. */
    private static Integer exitCode;
    private static byte[] outputAtExit;

    private Tools() {
    }

    public static void main(String[] none) throws Exception {
        PrintStream answers = System.out;
        PrintStream captured = new PrintStream(capture, true, StandardCharsets.UTF_8);
        System.setOut(captured);
        System.setErr(captured);
        Exit.setExitProcedure((code, message) -> end(code));
        Exit.setHaltProcedure((code, message) -> end(code));
        Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split("\t");
            int code = run(words[0], Arrays.copyOfRange(words, 1, words.length));
            captured.flush();
            byte[] output = outputAtExit == null ? capture.take() : outputAtExit;
            capture.take();
            exitCode = null;
            outputAtExit = null;
            answers.print(code + " " + output.length + "\n");
            answers.write(output);
            answers.flush();
        }
    }

    private static void end(int code) {
        if (exitCode == null) {
            System.out.flush();
            exitCode = code;
            outputAtExit = capture.take();
        }
        throw new Ended(code);
    }

    private static int run(String mainClass, String[] arguments) throws Exception {
        try {
            Class.forName(mainClass).getMethod("main", String[].class).invoke(null, (Object) arguments);
            return exitCode == null ? 0 : exitCode;
        } catch (InvocationTargetException thrown) {
            if (exitCode != null) return exitCode;
            thrown.getCause().printStackTrace();
            return -1;
        } finally {
            for (Runnable hook : hooks) hook.run();
            hooks.clear();
        }
    }
}
