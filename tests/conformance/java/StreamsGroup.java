import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.StreamsGroupDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Kafka Streams counts words with group.protocol=streams: a repartition topic and a changelog are created by the broker, a second instance
 * takes over half of the tasks, and after it ends the counts go on. Arguments: bootstrap servers, state directory.
 */
public class StreamsGroup {
    static String bootstrap;

    static KafkaStreams start(String directory) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream("lines", Consumed.with(Serdes.String(), Serdes.String()))
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.with("words", Serdes.String(), Serdes.String()))
            .count(Materialized.<String, Long>as(Stores.inMemoryKeyValueStore("counts")).withKeySerde(Serdes.String()).withValueSerde(Serdes.Long()))
            .toStream().to("counted", Produced.with(Serdes.String(), Serdes.Long()));
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("application.id", "word-count");
        settings.put("group.protocol", "streams");
        settings.put("state.dir", directory);
        settings.put("commit.interval.ms", "200");
        settings.put("auto.offset.reset", "earliest");
        settings.put("statestore.cache.max.bytes", "0");
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.start();
        return streams;
    }

    static void produce(String... lines) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < lines.length; i++) producer.send(new ProducerRecord<>("lines", i % 4, null, lines[i]));
        }
    }

    static Map<String, Long> counts = new HashMap<>();

    static void until(KafkaConsumer<String, Long> consumer, Map<String, Long> expected) {
        long deadline = System.currentTimeMillis() + 90_000;
        while (!counts.equals(expected)) {
            if (System.currentTimeMillis() > deadline) throw new AssertionError("expected " + expected + ", got " + counts);
            for (ConsumerRecord<String, Long> record : consumer.poll(Duration.ofMillis(200))) counts.put(record.key(), record.value());
        }
    }

    static StreamsGroupDescription stable(Admin admin, int members) throws Exception {
        long deadline = System.currentTimeMillis() + 90_000;
        for (;;) {
            StreamsGroupDescription group = admin.describeStreamsGroups(List.of("word-count")).all().get().get("word-count");
            if (group.groupState() == GroupState.STABLE && group.members().size() == members) return group;
            if (System.currentTimeMillis() > deadline) throw new AssertionError("not stable with " + members + ": " + group);
            Thread.sleep(200);
        }
    }

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        Admin admin = Admin.create(settings);
        admin.createTopics(List.of(new NewTopic("lines", Optional.of(4), Optional.empty()), new NewTopic("counted", Optional.of(1), Optional.empty()))).all().get();
        settings.put("group.id", "reader");
        settings.put("auto.offset.reset", "earliest");
        KafkaConsumer<String, Long> consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new LongDeserializer());
        consumer.subscribe(List.of("counted"));
        produce("a b c", "a b", "a", "d");
        KafkaStreams one = start(arguments[1] + "/one");
        until(consumer, Map.of("a", 3L, "b", 2L, "c", 1L, "d", 1L));
        stable(admin, 1);
        KafkaStreams two = start(arguments[1] + "/two");
        StreamsGroupDescription both = stable(admin, 2);
        both.members().forEach(member -> {
            long active = member.assignment().activeTasks().stream().mapToLong(tasks -> tasks.partitions().size()).sum();
            if (active != 4) throw new AssertionError("4 tasks of 8 were expected: " + member);
        });
        produce("a c", "d", "e e", "a");
        until(consumer, Map.of("a", 5L, "b", 2L, "c", 2L, "d", 2L, "e", 2L));
        two.close(Duration.ofSeconds(20));
        stable(admin, 1);
        produce("b", "b");
        until(consumer, Map.of("a", 5L, "b", 4L, "c", 2L, "d", 2L, "e", 2L));
        if (!admin.describeTopics(List.of("word-count-counts-changelog", "word-count-words-repartition")).allTopicNames().get().values().stream().allMatch(topic -> topic.partitions().size() == 4))
            throw new AssertionError("internal topics with 4 partitions were expected");
        one.close(Duration.ofSeconds(20));
        System.out.println("passed");
        System.exit(0);
    }
}
