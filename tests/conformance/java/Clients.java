import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.function.Predicate;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListOffsetsResult;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.QuorumInfo;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Apache Kafka's Java clients, each check on topics and groups of its own. Prints a line per check: `ok NAME` or `failed NAME: WHY`.
 * The only argument is the list of bootstrap servers, of a cluster with three brokers.
 */
public final class Clients {
    private interface Check {
        void run(String name) throws Exception;
    }

    private final String bootstrap;
    private final Admin admin;

    private Clients(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    public static void main(String[] arguments) {
        Clients clients = new Clients(arguments[0]);
        Map.<String, Check>ofEntries(
            Map.entry("admin", clients::admin),
            Map.entry("configs", clients::configs),
            Map.entry("quorum", clients::quorum),
            Map.entry("codecs", clients::codecs),
            Map.entry("idempotent-order", clients::order),
            Map.entry("acks", clients::acks),
            Map.entry("offsets", clients::offsets),
            Map.entry("group", clients::group),
            Map.entry("cooperative", clients::cooperative),
            Map.entry("static-membership", clients::staticMembership),
            Map.entry("positions", clients::positions)
        ).forEach((name, check) -> {
            try {
                check.run("java-" + name);
                System.out.println("ok " + name);
            } catch (Throwable problem) {
                System.out.println("failed " + name + ": " + problem);
                problem.printStackTrace();
            }
        });
        clients.admin.close();
        System.exit(0);
    }

    private static void expect(Object expected, Object actual) {
        if (!expected.equals(actual)) throw new AssertionError("expected " + expected + ", got " + actual);
    }

    private void create(String topic, int partitions) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 3))).all().get();
    }

    private KafkaProducer<String, String> producer(Map<String, Object> more) {
        Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "acks", "all"));
        settings.putAll(more);
        return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
    }

    private KafkaConsumer<String, String> consumer(String group, Map<String, Object> more) {
        Map<String, Object> settings = new HashMap<>(Map.of(
            "bootstrap.servers", bootstrap, "group.id", group, "group.protocol", "classic", "auto.offset.reset", "earliest",
            "enable.auto.commit", "false", "heartbeat.interval.ms", "200", "session.timeout.ms", "60000"));
        settings.putAll(more);
        return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    }

    private void write(String topic, int count, Map<String, Object> settings) throws Exception {
        try (KafkaProducer<String, String> producer = producer(settings)) {
            for (int index = 0; index < count; index++) producer.send(new ProducerRecord<>(topic, 0, "key-" + index, "value-" + index));
        }
    }

    private static List<String> read(KafkaConsumer<String, String> consumer, int count) {
        List<String> values = new ArrayList<>();
        long deadline = System.nanoTime() + 120_000_000_000L;
        while (values.size() < count && System.nanoTime() < deadline) {
            for (ConsumerRecord<String, String> each : consumer.poll(Duration.ofMillis(100))) values.add(each.value());
        }
        return values;
    }

    private static List<String> values(int from, int to) {
        List<String> values = new ArrayList<>();
        for (int index = from; index < to; index++) values.add("value-" + index);
        return values;
    }

    private void admin(String name) throws Exception {
        create(name, 2);
        try {
            create(name, 2);
            throw new AssertionError("created twice");
        } catch (ExecutionException thrown) {
            expect(TopicExistsException.class, thrown.getCause().getClass());
        }
        admin.createPartitions(Map.of(name, NewPartitions.increaseTo(3))).all().get();
        TopicDescription described = withThree(() -> admin.describeTopics(List.of(name)).allTopicNames().get().get(name));
        expect(3, described.partitions().get(2).replicas().size());
        Uuid id = described.topicId();
        TopicDescription sameById =
            withThree(() -> admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get().get(id));
        expect(name, sameById.name());
        expect(3, admin.describeCluster().nodes().get().size());
        admin.deleteTopics(List.of(name)).all().get();
        try {
            while (true) admin.describeTopics(List.of(name)).allTopicNames().get();
        } catch (ExecutionException thrown) {
            expect(UnknownTopicOrPartitionException.class, thrown.getCause().getClass());
        }
    }

    /** Any broker answers, and each hears of the topic and its partitions when it does. */
    private static <T> T once(Predicate<T> holds, Callable<T> ask) throws Exception {
        for (;;) {
            try {
                T answer = ask.call();
                if (holds.test(answer)) return answer;
            } catch (ExecutionException thrown) {
                if (!(thrown.getCause() instanceof RetriableException)) throw thrown;
            }
        }
    }

    private static TopicDescription withThree(Callable<TopicDescription> describe) throws Exception {
        return once(described -> described.partitions().size() == 3, describe);
    }

    private void configs(String name) throws Exception {
        create(name, 1);
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, name);
        admin.incrementalAlterConfigs(Map.of(topic, List.<AlterConfigOp>of(
            new AlterConfigOp(new ConfigEntry("retention.ms", "60000"), AlterConfigOp.OpType.SET),
            new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND)))).all().get();
        Config described = once(
            config -> config.get("retention.ms").value().equals("60000"), () -> admin.describeConfigs(List.of(topic)).all().get().get(topic));
        expect(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, described.get("retention.ms").source());
        ConfigEntry policy = described.get("cleanup.policy");
        expect(new TreeSet<>(List.of("compact", "delete")), new TreeSet<>(List.of(policy.value().split(","))));
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "2");
        expect("2", admin.describeConfigs(List.of(broker)).all().get().get(broker).get("node.id").value());
    }

    private void quorum(String name) throws Exception {
        QuorumInfo quorum = admin.describeMetadataQuorum().quorumInfo().get();
        expect(3, quorum.voters().size());
        Set<Integer> ids = new HashSet<>();
        quorum.voters().forEach(voter -> ids.add(voter.replicaId()));
        expect(true, ids.contains(quorum.leaderId()));
        expect(true, admin.describeFeatures().featureMetadata().get().finalizedFeatures().containsKey("metadata.version"));
    }

    private void codecs(String name) throws Exception {
        create(name, 1);
        int written = 0;
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            write(name, 20, Map.of("compression.type", codec, "linger.ms", "20"));
            written += 20;
        }
        try (KafkaConsumer<String, String> consumer = consumer(name, Map.of("check.crcs", "true"))) {
            consumer.subscribe(List.of(name));
            List<String> read = read(consumer, written);
            expect(written, read.size());
            for (int from = 0; from < written; from += 20) expect(values(0, 20), read.subList(from, from + 20));
        }
    }

    private void order(String name) throws Exception {
        create(name, 1);
        write(name, 500, Map.of("enable.idempotence", "true", "max.in.flight.requests.per.connection", "5", "batch.size", "200"));
        try (KafkaConsumer<String, String> consumer = consumer(name, Map.of("isolation.level", "read_committed"))) {
            consumer.subscribe(List.of(name));
            expect(values(0, 500), read(consumer, 500));
        }
    }

    private void acks(String name) throws Exception {
        create(name, 1);
        for (String acks : List.of("0", "1", "all")) write(name, 10, Map.of("acks", acks, "enable.idempotence", "false"));
        try (KafkaConsumer<String, String> consumer = consumer(name, Map.of())) {
            consumer.subscribe(List.of(name));
            expect(30, read(consumer, 30).size());
        }
    }

    private void offsets(String name) throws Exception {
        create(name, 1);
        TopicPartition partition = new TopicPartition(name, 0);
        try (KafkaProducer<String, String> producer = producer(Map.of())) {
            for (long time : new long[] {1_700_000_000_000L, 1_700_000_002_000L, 1_700_000_001_000L})
                producer.send(new ProducerRecord<>(name, 0, time, "key", "value")).get();
        }
        Map<String, Long> expected = Map.of("latest", 3L, "earliest", 0L, "max", 1L, "time", 1L);
        Map<String, OffsetSpec> specs = Map.of("latest", OffsetSpec.latest(), "earliest", OffsetSpec.earliest(), "max",
            OffsetSpec.maxTimestamp(), "time", OffsetSpec.forTimestamp(1_700_000_000_500L));
        for (String which : specs.keySet()) {
            ListOffsetsResult.ListOffsetsResultInfo found =
                admin.listOffsets(Map.of(partition, specs.get(which))).partitionResult(partition).get();
            expect(which + " " + expected.get(which), which + " " + found.offset());
        }
    }

    private void group(String name) throws Exception {
        create(name, 1);
        write(name, 10, Map.of());
        TopicPartition partition = new TopicPartition(name, 0);
        try (KafkaConsumer<String, String> consumer = consumer(name, Map.of("max.poll.records", "4"))) {
            consumer.subscribe(List.of(name));
            expect(values(0, 4), read(consumer, 4));
            consumer.commitSync(Map.of(partition, new OffsetAndMetadata(4, "four")));
            expect("STABLE", admin.describeConsumerGroups(List.of(name)).all().get().get(name).groupState().name());
            consumer.pause(List.of(partition));
            expect(true, consumer.poll(Duration.ofMillis(200)).isEmpty());
            consumer.resume(List.of(partition));
            consumer.seek(partition, 8);
            expect(values(8, 10), read(consumer, 2));
        }
        OffsetAndMetadata committed =
            admin.listConsumerGroupOffsets(name).partitionsToOffsetAndMetadata().get().get(partition);
        expect("4 four", committed.offset() + " " + committed.metadata());
        admin.alterConsumerGroupOffsets(name, Map.of(partition, new OffsetAndMetadata(6))).all().get();
        try (KafkaConsumer<String, String> consumer = consumer(name, Map.of())) {
            consumer.subscribe(List.of(name));
            expect(values(6, 10), read(consumer, 4));
        }
        Set<String> groups = new HashSet<>();
        for (GroupListing each : admin.listGroups().all().get()) groups.add(each.groupId());
        expect(true, groups.contains(name));
        admin.deleteConsumerGroups(List.of(name)).all().get();
    }

    /** Two members under the cooperative protocol: the first gives up half, and never what it keeps. */
    private void cooperative(String name) throws Exception {
        create(name, 4);
        Map<String, Object> settings =
            Map.of("partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
        Set<TopicPartition> lost = new HashSet<>();
        try (KafkaConsumer<String, String> first = consumer(name, settings); KafkaConsumer<String, String> second = consumer(name, settings)) {
            first.subscribe(List.of(name), new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                    lost.addAll(partitions);
                }

                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                }
            });
            until(() -> first.assignment().size() == 4, first);
            second.subscribe(List.of(name));
            until(() -> first.assignment().size() == 2 && second.assignment().size() == 2, first, second);
            expect(2, lost.size());
            second.unsubscribe();
            until(() -> first.assignment().size() == 4, first);
        }
    }

    /** A member with an instance id comes back to its partitions, without a rebalance and under the same generation. */
    private void staticMembership(String name) throws Exception {
        create(name, 4);
        Map<String, Object> one = Map.of("group.instance.id", "one", "session.timeout.ms", "300000");
        Map<String, Object> two = Map.of("group.instance.id", "two", "session.timeout.ms", "300000");
        try (KafkaConsumer<String, String> stays = consumer(name, one)) {
            stays.subscribe(List.of(name));
            Set<TopicPartition> before;
            try (KafkaConsumer<String, String> leaves = consumer(name, two)) {
                leaves.subscribe(List.of(name));
                until(() -> stays.assignment().size() == 2 && leaves.assignment().size() == 2, stays, leaves);
                before = new HashSet<>(leaves.assignment());
            }
            int generation = stays.groupMetadata().generationId();
            try (KafkaConsumer<String, String> returns = consumer(name, two)) {
                returns.subscribe(List.of(name));
                until(() -> !returns.assignment().isEmpty(), stays, returns);
                expect(before, new HashSet<>(returns.assignment()));
                expect(generation, returns.groupMetadata().generationId());
                expect(generation, stays.groupMetadata().generationId());
            }
        }
    }

    /** Positions carry leader epochs: the client asks OffsetForLeaderEpoch before it goes on. */
    private void positions(String name) throws Exception {
        create(name, 1);
        write(name, 5, Map.of());
        TopicPartition partition = new TopicPartition(name, 0);
        try (KafkaConsumer<String, String> consumer = consumer(name, Map.of())) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, new OffsetAndMetadata(2, Optional.of(0), ""));
            expect(values(2, 5), read(consumer, 3));
            expect(Map.of(partition, 5L), consumer.endOffsets(List.of(partition)));
            expect(Map.of(partition, 0L), consumer.beginningOffsets(List.of(partition)));
            consumer.seek(partition, 1000);
            expect("value-0", read(consumer, 1).get(0));
        }
    }

    private interface Condition {
        boolean holds();
    }

    @SafeVarargs
    private static void until(Condition condition, KafkaConsumer<String, String>... consumers) {
        long deadline = System.nanoTime() + 120_000_000_000L;
        while (!condition.holds()) {
            if (System.nanoTime() > deadline) throw new AssertionError("not within 120 s");
            for (KafkaConsumer<String, String> each : consumers) each.poll(Duration.ofMillis(50));
        }
    }
}
