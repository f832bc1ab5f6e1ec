import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.AppInfoParser;

/**
 * Clients of an old release of Apache Kafka, 2.8: before topic ids in fetches, KRaft in the open, and the second transaction protocol.
 * Compiled against its jars. Prints a line per check: `ok NAME` or `failed NAME: WHY`.
 * The only argument is the list of bootstrap servers, of a cluster with three brokers.
 */
public final class OldClients {
    private interface Check {
        void run(String name) throws Exception;
    }

    private final String bootstrap;
    private final Admin admin;

    private OldClients(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    public static void main(String[] arguments) {
        OldClients clients = new OldClients(arguments[0]);
        Map<String, Check> checks = new LinkedHashMap<>();
        checks.put("release", name -> expect("2.8.2", AppInfoParser.getVersion()));
        checks.put("admin", clients::admin);
        checks.put("configs", clients::configs);
        checks.put("codecs", clients::codecs);
        checks.put("idempotent", clients::idempotent);
        checks.put("transactions", clients::transactions);
        checks.put("fencing", clients::fencing);
        checks.put("exactly-once", clients::exactlyOnce);
        checks.put("group", clients::group);
        checks.put("group-admin", clients::groupAdmin);
        checks.forEach((name, check) -> {
            try {
                check.run("old-" + name);
                System.out.println("ok " + name);
            } catch (Throwable problem) {
                System.out.println("failed " + name + ": " + problem);
                problem.printStackTrace(System.out);
            }
        });
        System.exit(0);
    }

    private static void expect(Object expected, Object actual) {
        if (!expected.equals(actual)) throw new AssertionError("expected " + expected + ", got " + actual);
    }

    private void create(String topic, int partitions) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 3))).all().get();
        // Any broker answers, and each hears of the topic when it does.
        until(() -> admin.describeTopics(List.of(topic)).all().get().get(topic).partitions().size() == partitions);
    }

    private static void until(Callable<Boolean> holds) throws Exception {
        for (;;) {
            try {
                if (holds.call()) return;
            } catch (ExecutionException thrown) {
                if (!(thrown.getCause() instanceof RetriableException)) throw thrown;
            }
        }
    }

    private KafkaProducer<String, String> producer(Map<String, Object> more) {
        Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "acks", "all"));
        settings.putAll(more);
        return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
    }

    private KafkaProducer<String, String> transactional(String id) {
        KafkaProducer<String, String> producer = producer(Map.of("transactional.id", id));
        producer.initTransactions();
        return producer;
    }

    private KafkaConsumer<String, String> consumer(String group, Map<String, Object> more) {
        Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "group.id", group, "auto.offset.reset", "earliest",
            "enable.auto.commit", "false", "heartbeat.interval.ms", "200", "isolation.level", "read_committed"));
        settings.putAll(more);
        return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    }

    private static List<String> read(KafkaConsumer<String, String> consumer, int count) {
        List<String> values = new ArrayList<>();
        long deadline = System.nanoTime() + 120_000_000_000L;
        while (values.size() < count && System.nanoTime() < deadline)
            for (ConsumerRecord<String, String> each : consumer.poll(Duration.ofMillis(100))) values.add(each.value());
        return values;
    }

    private List<String> readAll(String topic, int count) {
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaConsumer<String, String> consumer = consumer(topic + "-reader", Map.of())) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            return read(consumer, count);
        }
    }

    private static void write(KafkaProducer<String, String> producer, String topic, String... values) throws Exception {
        for (String value : values) producer.send(new ProducerRecord<>(topic, 0, "key", value)).get();
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
        until(() -> admin.describeTopics(List.of(name)).all().get().get(name).partitions().size() == 3);
        expect(3, admin.describeCluster().nodes().get().size());
        expect(3, admin.describeLogDirs(List.of(1, 2, 3)).allDescriptions().get().size());
        expect(true, admin.describeFeatures().featureMetadata().get().finalizedFeatures().containsKey("metadata.version"));
        TopicPartition partition = new TopicPartition(name, 0);
        try (KafkaProducer<String, String> producer = producer(Map.of())) {
            write(producer, name, "a", "b", "c");
        }
        expect(3L, admin.listOffsets(Map.of(partition, OffsetSpec.latest())).partitionResult(partition).get().offset());
        expect(2L, admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(2))).lowWatermarks().get(partition).get().lowWatermark());
        expect(2L, admin.listOffsets(Map.of(partition, OffsetSpec.earliest())).partitionResult(partition).get().offset());
        admin.deleteTopics(List.of(name)).all().get();
        while (admin.listTopics().names().get().contains(name)) Thread.onSpinWait();
    }

    /** AlterConfigs replaces all settings of a topic; clients of 4.0 have lost it, brokers have not. */
    @SuppressWarnings("deprecation")
    private void configs(String name) throws Exception {
        create(name, 1);
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, name);
        admin.incrementalAlterConfigs(Map.of(topic,
            List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "60000"), AlterConfigOp.OpType.SET)))).all().get();
        admin.alterConfigs(Map.of(topic, new Config(List.of(new ConfigEntry("segment.ms", "70000"))))).all().get();
        until(() -> {
            Config config = admin.describeConfigs(List.of(topic)).all().get().get(topic);
            if (!config.get("segment.ms").value().equals("70000")) return false;
            expect(ConfigEntry.ConfigSource.DEFAULT_CONFIG, config.get("retention.ms").source());
            return true;
        });
    }

    private void codecs(String name) throws Exception {
        create(name, 1);
        List<String> expected = new ArrayList<>();
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try (KafkaProducer<String, String> producer = producer(Map.of("compression.type", codec, "linger.ms", "20"))) {
                for (int index = 0; index < 20; index++) {
                    expected.add(codec + index);
                    producer.send(new ProducerRecord<>(name, 0, "key", codec + index));
                }
            }
        }
        expect(expected, readAll(name, 100));
    }

    private void idempotent(String name) throws Exception {
        create(name, 1);
        List<String> expected = new ArrayList<>();
        try (KafkaProducer<String, String> producer = producer(Map.of("enable.idempotence", "true", "batch.size", "200"))) {
            for (int index = 0; index < 500; index++) {
                expected.add("value-" + index);
                producer.send(new ProducerRecord<>(name, 0, "key", "value-" + index));
            }
        }
        expect(expected, readAll(name, 500));
    }

    private void transactions(String name) throws Exception {
        create(name, 1);
        try (KafkaProducer<String, String> producer = transactional(name)) {
            for (String each : List.of("committed-1", "aborted", "committed-2")) {
                producer.beginTransaction();
                write(producer, name, each);
                if (each.equals("aborted")) producer.abortTransaction();
                else producer.commitTransaction();
            }
        }
        expect(List.of("committed-1", "committed-2"), readAll(name, 2));
    }

    private void fencing(String name) throws Exception {
        create(name, 1);
        try (KafkaProducer<String, String> first = transactional(name)) {
            first.beginTransaction();
            write(first, name, "of the fenced one");
            try (KafkaProducer<String, String> second = transactional(name)) {
                second.beginTransaction();
                write(second, name, "of the second");
                boolean fenced = false;
                try {
                    first.commitTransaction();
                } catch (ProducerFencedException expected) {
                    fenced = true;
                }
                expect(true, fenced);
                second.commitTransaction();
            }
        }
        expect(List.of("of the second"), readAll(name, 1));
    }

    /** Consume, transform, produce: offsets and records in one transaction. */
    private void exactlyOnce(String name) throws Exception {
        create(name, 1);
        create(name + "-out", 1);
        TopicPartition partition = new TopicPartition(name, 0);
        try (KafkaProducer<String, String> producer = producer(Map.of())) {
            write(producer, name, "1", "2", "3");
        }
        for (boolean commit : new boolean[] {false, true}) {
            try (KafkaConsumer<String, String> consumer = consumer(name, Map.of()); KafkaProducer<String, String> producer = transactional(name)) {
                consumer.subscribe(List.of(name));
                List<String> values = read(consumer, 3);
                expect(List.of("1", "2", "3"), values);
                producer.beginTransaction();
                for (String each : values) write(producer, name + "-out", each + each);
                producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(3)), consumer.groupMetadata());
                if (commit) producer.commitTransaction();
                else producer.abortTransaction();
            }
        }
        expect(List.of("11", "22", "33"), readAll(name + "-out", 3));
        expect(3L, admin.listConsumerGroupOffsets(name).partitionsToOffsetAndMetadata().get().get(partition).offset());
    }

    private void group(String name) throws Exception {
        create(name, 4);
        for (String assignor : List.of("RangeAssignor", "CooperativeStickyAssignor")) {
            Map<String, Object> settings = Map.of("partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor);
            String group = name + "-" + assignor;
            try (KafkaConsumer<String, String> first = consumer(group, settings); KafkaConsumer<String, String> second = consumer(group, settings)) {
                first.subscribe(List.of(name));
                second.subscribe(List.of(name));
                long deadline = System.nanoTime() + 120_000_000_000L;
                while (first.assignment().size() != 2 || second.assignment().size() != 2) {
                    if (System.nanoTime() > deadline) throw new AssertionError("not shared within 120 s");
                    first.poll(Duration.ofMillis(50));
                    second.poll(Duration.ofMillis(50));
                }
                Set<TopicPartition> both = new HashSet<>(first.assignment());
                both.addAll(second.assignment());
                expect(4, both.size());
            }
        }
    }

    private void groupAdmin(String name) throws Exception {
        create(name, 1);
        TopicPartition partition = new TopicPartition(name, 0);
        try (KafkaProducer<String, String> producer = producer(Map.of())) {
            write(producer, name, "1", "2", "3");
        }
        try (KafkaConsumer<String, String> consumer = consumer(name, Map.of())) {
            consumer.subscribe(List.of(name));
            expect(3, read(consumer, 3).size());
            consumer.commitSync();
            expect("Stable", admin.describeConsumerGroups(List.of(name)).all().get().get(name).state().toString());
        }
        expect(true, admin.listConsumerGroups().all().get().stream().anyMatch(each -> each.groupId().equals(name)));
        admin.alterConsumerGroupOffsets(name, Map.of(partition, new OffsetAndMetadata(1))).all().get();
        expect(1L, admin.listConsumerGroupOffsets(name).partitionsToOffsetAndMetadata().get().get(partition).offset());
        admin.deleteConsumerGroupOffsets(name, Set.of(partition)).all().get();
        admin.deleteConsumerGroups(List.of(name)).all().get();
        expect(true, admin.listConsumerGroups().all().get().stream().noneMatch(each -> each.groupId().equals(name)));
    }
}
