import java.util.HashMap;
import java.util.List;
import java.util.Map;
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
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

/**
 * Words, the topology that counts them, and the judgement on what it counted. Run by itself it writes `count` words to the topic `words`,
 * says "written", waits until the counts that read_committed shows of the topic `counts` add up, and prints `exact`, or `inexact: WHY`.
 * Arguments: bootstrap servers, number of words, ms to spread them over. The topics exist.
 */
public final class Words {
    private static final String[] words = {"one", "two", "three", "four", "five", "six", "seven"};

    private Words() {
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, Long> expected = write(arguments[0], Integer.parseInt(arguments[1]), Long.parseLong(arguments[2]));
        System.out.println("written");
        System.out.println(judge(arguments[0], expected));
    }

    static Topology topology() {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream("words", Consumed.with(Serdes.String(), Serdes.String()))
            .groupBy((key, word) -> word, Grouped.with("again", Serdes.String(), Serdes.String()))
            .count(Materialized.<String, Long>as(Stores.inMemoryKeyValueStore("store")).withKeySerde(Serdes.String()).withValueSerde(Serdes.Long()))
            .toStream()
            .to("counts", Produced.with(Serdes.String(), Serdes.Long()));
        return builder.build();
    }

    static Map<String, Long> write(String bootstrap, int count, long spreadMs) throws Exception {
        Map<String, Long> expected = new TreeMap<>();
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "acks", "all", "delivery.timeout.ms", "120000");
        long beginMs = System.currentTimeMillis();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            int partitions = producer.partitionsFor("words").size();
            for (int index = 0; index < count; index++) {
                String word = words[(index * 31 + index / 7) % words.length];
                expected.merge(word, 1L, Long::sum);
                producer.send(new ProducerRecord<>("words", index % partitions, null, word));
                long dueMs = beginMs + spreadMs * index / count;
                long waitMs = dueMs - System.currentTimeMillis();
                if (waitMs > 0) Thread.sleep(waitMs);
            }
        }
        return expected;
    }

    /** The counts of a word must come as 1, 2, 3, … without a gap or a repetition, up to its number. */
    static String judge(String bootstrap, Map<String, Long> expected) {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed", "auto.offset.reset", "earliest");
        Map<String, Long> seen = new HashMap<>();
        long deadline = System.nanoTime() + 90_000_000_000L;
        try (KafkaConsumer<String, Long> consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new LongDeserializer())) {
            List<TopicPartition> all = consumer.partitionsFor("counts").stream().map(each -> new TopicPartition("counts", each.partition())).toList();
            consumer.assign(all);
            consumer.seekToBeginning(all);
            while (!seen.equals(expected)) {
                if (System.nanoTime() > deadline) return "inexact: expected " + expected + ", came to " + new TreeMap<>(seen);
                for (ConsumerRecord<String, Long> record : consumer.poll(java.time.Duration.ofMillis(200))) {
                    long before = seen.getOrDefault(record.key(), 0L);
                    if (record.value() != before + 1) return "inexact: " + record.key() + " went from " + before + " to " + record.value();
                    seen.put(record.key(), record.value());
                }
            }
        }
        return "exact";
    }
}
