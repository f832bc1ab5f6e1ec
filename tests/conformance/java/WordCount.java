import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

/**
 * Counts words with Kafka Streams, exactly once. Writes `count` words to the topic `words` while it runs, then waits until the counts that
 * read_committed shows of the topic `counts` add up, and prints `exact`, or `inexact: WHY`.
 * Arguments: bootstrap servers, number of words, ms to spread them over. The topics exist.
 */
public final class WordCount {
    private static final String[] words = {"one", "two", "three", "four", "five", "six", "seven"};

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        int count = Integer.parseInt(arguments[1]);
        long spreadMs = Long.parseLong(arguments[2]);
        Properties settings = new Properties();
        settings.putAll(Map.of("bootstrap.servers", bootstrap, "application.id", "word-count", "processing.guarantee", "exactly_once_v2",
            "commit.interval.ms", "100", "num.stream.threads", "2", "state.dir", System.getProperty("java.io.tmpdir") + "/streams-" + System.nanoTime(),
            "replication.factor", "3", "statestore.cache.max.bytes", "0", "default.key.serde", Serdes.StringSerde.class, "default.value.serde", Serdes.StringSerde.class));
        settings.put("consumer.session.timeout.ms", "10000");
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream("words", Consumed.with(Serdes.String(), Serdes.String()))
            .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
            .count(Materialized.<String, Long>as(Stores.inMemoryKeyValueStore("store")).withKeySerde(Serdes.String()).withValueSerde(Serdes.Long()))
            .toStream()
            .to("counts", Produced.with(Serdes.String(), Serdes.Long()));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.setUncaughtExceptionHandler(problem -> {
            System.out.println("replaced a thread: " + problem);
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        streams.start();
        Map<String, Long> expected = write(bootstrap, count, spreadMs);
        System.out.println("written");
        String verdict = judge(bootstrap, expected);
        System.out.println(verdict);
        streams.close(Duration.ofSeconds(10));
        System.exit(0);
    }

    private static Map<String, Long> write(String bootstrap, int count, long spreadMs) throws Exception {
        Map<String, Long> expected = new TreeMap<>();
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "acks", "all", "delivery.timeout.ms", "120000");
        long beginMs = System.currentTimeMillis();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            for (int index = 0; index < count; index++) {
                String word = words[(index * 31 + index / 7) % words.length];
                expected.merge(word, 1L, Long::sum);
                producer.send(new ProducerRecord<>("words", null, word));
                long dueMs = beginMs + spreadMs * index / count;
                long waitMs = dueMs - System.currentTimeMillis();
                if (waitMs > 0) Thread.sleep(waitMs);
            }
        }
        return expected;
    }

    /** The counts of a word must come as 1, 2, 3, … without a gap or a repetition, up to its number. */
    private static String judge(String bootstrap, Map<String, Long> expected) {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed", "auto.offset.reset", "earliest");
        Map<String, Long> seen = new HashMap<>();
        long deadline = System.nanoTime() + 90_000_000_000L;
        try (KafkaConsumer<String, Long> consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new LongDeserializer())) {
            List<TopicPartition> all = consumer.partitionsFor("counts").stream().map(each -> new TopicPartition("counts", each.partition())).toList();
            consumer.assign(all);
            consumer.seekToBeginning(all);
            while (!seen.equals(expected)) {
                if (System.nanoTime() > deadline) return "inexact: expected " + expected + ", came to " + new TreeMap<>(seen);
                for (ConsumerRecord<String, Long> record : consumer.poll(Duration.ofMillis(200))) {
                    long before = seen.getOrDefault(record.key(), 0L);
                    if (record.value() != before + 1) return "inexact: " + record.key() + " went from " + before + " to " + record.value();
                    seen.put(record.key(), record.value());
                }
            }
        }
        return "exact";
    }
}
