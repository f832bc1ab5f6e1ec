import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Sends a record every few milliseconds with acks=all and otherwise default settings, and measures the gaps between acknowledgements.
 * Arguments: bootstrap servers, topic, interval in ms. Prints "acked N" four times a second; a line on stdin "mark" forgets the gaps so
 * far; at the end of stdin it prints "longest MS acked N failed N" and ends.
 */
public final class SteadyProducer {
    private static volatile boolean marked;
    private static volatile boolean ended;
    private static final AtomicLong acked = new AtomicLong();
    private static final AtomicLong failed = new AtomicLong();
    // Callbacks run on the producer's one I/O thread.
    private static long lastAckNanos;
    private static volatile long longestNanos;

    public static void main(String[] args) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", args[0]);
        properties.put("acks", "all");
        properties.put("key.serializer", ByteArraySerializer.class.getName());
        properties.put("value.serializer", ByteArraySerializer.class.getName());
        String topic = args[1];
        long intervalNanos = Long.parseLong(args[2]) * 1_000_000L;
        Thread reader = new Thread(SteadyProducer::readCommands);
        reader.setDaemon(true);
        reader.start();
        byte[] value = new byte[100];
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties);
        long nextPrintNanos = System.nanoTime();
        long nextSendNanos = System.nanoTime();
        while (!ended) {
            producer.send(new ProducerRecord<>(topic, 0, null, value), (metadata, error) -> onAnswer(error));
            long now = System.nanoTime();
            if (now >= nextPrintNanos) {
                System.out.println("acked " + acked.get());
                nextPrintNanos = now + 250_000_000L;
            }
            nextSendNanos += intervalNanos;
            long waitNanos = nextSendNanos - System.nanoTime();
            if (waitNanos > 0) Thread.sleep(waitNanos / 1_000_000L, (int) (waitNanos % 1_000_000L));
            else nextSendNanos = System.nanoTime();
        }
        long longest = longestNanos;
        producer.close(java.time.Duration.ofSeconds(5));
        System.out.println("longest " + longest / 1e6 + " acked " + acked.get() + " failed " + failed.get());
    }

    private static void onAnswer(Exception error) {
        if (error != null) {
            failed.incrementAndGet();
            System.err.println(error);
            return;
        }
        long now = System.nanoTime();
        if (marked) longestNanos = Math.max(longestNanos, now - lastAckNanos);
        lastAckNanos = now;
        acked.incrementAndGet();
    }

    private static void readCommands() {
        try (var lines = new java.io.BufferedReader(new java.io.InputStreamReader(System.in))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.equals("mark")) marked = true;
            }
        } catch (java.io.IOException error) {
            System.err.println(error);
        }
        ended = true;
    }
}
