import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/**
 * Counts words with Kafka Streams, exactly once. Writes `count` words to the topic `words` while it runs, then waits until the counts that
 * read_committed shows of the topic `counts` add up, and prints `exact`, or `inexact: WHY`; see Words.java.
 * Arguments: bootstrap servers, number of words, ms to spread them over, state directory. The topics exist.
 */
public final class WordCount {
    private WordCount() {
    }

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        int count = Integer.parseInt(arguments[1]);
        long spreadMs = Long.parseLong(arguments[2]);
        Properties settings = new Properties();
        settings.putAll(Map.of("bootstrap.servers", bootstrap, "application.id", "word-count", "processing.guarantee", "exactly_once_v2",
            "commit.interval.ms", "100", "num.stream.threads", "2", "state.dir", arguments[3],
            "replication.factor", "3", "statestore.cache.max.bytes", "0", "default.key.serde", Serdes.StringSerde.class, "default.value.serde", Serdes.StringSerde.class));
        settings.put("consumer.session.timeout.ms", "10000");
        KafkaStreams streams = new KafkaStreams(Words.topology(), settings);
        streams.setUncaughtExceptionHandler(problem -> {
            System.out.println("replaced a thread: " + problem);
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        streams.start();
        Map<String, Long> expected = Words.write(bootstrap, count, spreadMs);
        System.out.println("written");
        String verdict = Words.judge(bootstrap, expected, 240);
        System.out.println(verdict);
        streams.close(Duration.ofSeconds(10));
        System.exit(0);
    }
}
