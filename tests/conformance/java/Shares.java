import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Apache Kafka's KafkaShareConsumer, each check on a topic and a group of its own. Prints a line per check: `ok NAME` or `failed NAME: WHY`.
 * Arguments: bootstrap servers, then the names of the checks to run, in order.
 */
public final class Shares {
    private interface Check {
        void run(String name) throws Exception;
    }

    private final String bootstrap;
    private final Admin admin;
    private final Map<String, Check> checks = new TreeMap<>();

    private Shares(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        checks.put("implicit", this::implicit);
        checks.put("explicit", this::explicit);
        checks.put("delivery-limit", this::deliveryLimit);
        checks.put("lock-timeout", this::lockTimeout);
        checks.put("renewal", this::renewal);
        checks.put("together", this::together);
        checks.put("record-limit", this::recordLimit);
        checks.put("aborted", this::aborted);
        checks.put("before-failover", this::beforeFailover);
        checks.put("after-failover", this::afterFailover);
    }

    public static void main(String[] args) throws Exception {
        Shares shares = new Shares(args[0]);
        for (int index = 1; index < args.length; index++) {
            String name = args[index];
            try {
                shares.checks.get(name).run(name);
                System.out.println("ok " + name);
            } catch (Throwable wrong) {
                System.out.println("failed " + name + ": " + wrong);
                wrong.printStackTrace(System.out);
            }
        }
        shares.admin.close();
        System.exit(0);
    }

    // ------------------------------------------------------------------------------------------------------- checks

    private void implicit(String topic) throws Exception {
        prepare(topic, 3);
        produce(topic, 0, 100);
        try (KafkaShareConsumer<String, String> consumer = consumer(topic, "implicit")) {
            consumer.subscribe(List.of(topic));
            Set<String> values = new HashSet<>();
            for (ConsumerRecord<String, String> record : take(consumer, 100)) values.add(record.value());
            expect(values.size() == 100, "100 records, got " + values.size());
            consumer.commitSync(Duration.ofSeconds(60)).values()
                .forEach(error -> error.ifPresent(each -> { throw each; }));
        }
        try (KafkaShareConsumer<String, String> consumer = consumer(topic, "implicit")) {
            consumer.subscribe(List.of(topic));
            expect(quiet(consumer, 3_000).isEmpty(), "nothing twice");
            produce(topic, 100, 101);
            expect(take(consumer, 1).get(0).value().equals("100"), "the new record");
        }
    }

    private void explicit(String topic) throws Exception {
        prepare(topic, 1);
        produce(topic, 0, 9);
        try (KafkaShareConsumer<String, String> consumer = consumer(topic, "explicit")) {
            consumer.subscribe(List.of(topic));
            for (ConsumerRecord<String, String> record : take(consumer, 9)) {
                expect(record.deliveryCount().get() == 1, "first delivery");
                long kind = record.offset() % 3;
                consumer.acknowledge(record,
                    kind == 0 ? AcknowledgeType.ACCEPT : kind == 1 ? AcknowledgeType.RELEASE : AcknowledgeType.REJECT);
            }
            consumer.commitSync(Duration.ofSeconds(60)).values()
                .forEach(error -> error.ifPresent(each -> { throw each; }));
            List<Long> again = new ArrayList<>();
            for (int count = 0; count < 3;) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
                    expect(record.deliveryCount().get() == 2, "second delivery");
                    again.add(record.offset());
                    consumer.acknowledge(record);
                    count++;
                }
            }
            expect(again.equals(List.of(1L, 4L, 7L)), "released records, got " + again);
            consumer.commitSync(Duration.ofSeconds(60));
            expect(quiet(consumer, 2_000).isEmpty(), "nothing more");
        }
    }

    private void deliveryLimit(String topic) throws Exception {
        prepare(topic, 1);
        produce(topic, 0, 1);
        try (KafkaShareConsumer<String, String> consumer = consumer(topic, "explicit")) {
            consumer.subscribe(List.of(topic));
            for (int delivery = 1; delivery <= 5; delivery++) {
                ConsumerRecord<String, String> record = take(consumer, 1).get(0);
                expect(record.deliveryCount().get() == delivery, "delivery " + delivery);
                consumer.acknowledge(record, AcknowledgeType.RELEASE);
                consumer.commitSync(Duration.ofSeconds(60));
            }
            expect(quiet(consumer, 3_000).isEmpty(), "dropped after five deliveries");
        }
    }

    private void lockTimeout(String topic) throws Exception {
        prepare(topic, 1);
        alterGroup(topic, "share.record.lock.duration.ms", "2000");
        produce(topic, 0, 5);
        try (KafkaShareConsumer<String, String> sleepy = consumer(topic, "explicit");
             KafkaShareConsumer<String, String> awake = consumer(topic, "explicit")) {
            sleepy.subscribe(List.of(topic));
            List<ConsumerRecord<String, String>> held = take(sleepy, 5);
            awake.subscribe(List.of(topic));
            for (ConsumerRecord<String, String> record : take(awake, 5)) {
                expect(record.deliveryCount().get() == 2, "second delivery");
                awake.acknowledge(record);
            }
            held.forEach(sleepy::acknowledge);
            boolean[] refused = { false };
            sleepy.commitSync(Duration.ofSeconds(60)).values().forEach(error -> refused[0] |= error.isPresent());
            expect(refused[0], "the late acknowledgement is refused");
            awake.commitSync(Duration.ofSeconds(60)).values()
                .forEach(error -> error.ifPresent(each -> { throw each; }));
        }
    }

    /** Six rounds of a second and more, with a lock of four: on a busy machine a round may take as long as that. */
    private void renewal(String topic) throws Exception {
        prepare(topic, 1);
        alterGroup(topic, "share.record.lock.duration.ms", "4000");
        produce(topic, 0, 1);
        try (KafkaShareConsumer<String, String> slow = consumer(topic, "explicit");
             KafkaShareConsumer<String, String> other = consumer(topic, "explicit")) {
            slow.subscribe(List.of(topic));
            ConsumerRecord<String, String> held = take(slow, 1).get(0);
            other.subscribe(List.of(topic));
            for (int round = 0; round < 6; round++) {
                slow.acknowledge(held, AcknowledgeType.RENEW);
                slow.commitSync(Duration.ofSeconds(60)).values()
                    .forEach(error -> error.ifPresent(each -> { throw each; }));
                expect(other.poll(Duration.ofSeconds(1)).isEmpty(), "held by the other");
                held = take(slow, 1).get(0);
                expect(held.deliveryCount().get() == 1, "still the first delivery");
            }
            slow.acknowledge(held);
            slow.commitSync(Duration.ofSeconds(60)).values()
                .forEach(error -> error.ifPresent(each -> { throw each; }));
        }
    }

    private void together(String topic) throws Exception {
        prepare(topic, 1);
        try (KafkaShareConsumer<String, String> one = consumer(topic, "implicit", Map.of("max.poll.records", "10"));
             KafkaShareConsumer<String, String> two = consumer(topic, "implicit", Map.of("max.poll.records", "10"))) {
            one.subscribe(List.of(topic));
            two.subscribe(List.of(topic));
            one.poll(Duration.ofMillis(500));
            two.poll(Duration.ofMillis(500));
            for (int batch = 0; batch < 40; batch++) produce(topic, batch * 10, batch * 10 + 10);
            Map<String, Integer> seen = new HashMap<>();
            int[] counts = { 0, 0 };
            long deadline = System.currentTimeMillis() + 120_000;
            while (seen.size() < 400 && System.currentTimeMillis() < deadline) {
                for (ConsumerRecord<String, String> record : one.poll(Duration.ofMillis(200))) {
                    seen.merge(record.value(), 1, Integer::sum);
                    counts[0]++;
                }
                for (ConsumerRecord<String, String> record : two.poll(Duration.ofMillis(200))) {
                    seen.merge(record.value(), 1, Integer::sum);
                    counts[1]++;
                }
            }
            expect(seen.size() == 400, "all 400, got " + seen.size());
            expect(seen.values().stream().allMatch(count -> count == 1), "none twice");
            expect(counts[0] > 0 && counts[1] > 0, "both had some: " + counts[0] + " and " + counts[1]);
        }
    }

    private void recordLimit(String topic) throws Exception {
        prepare(topic, 1);
        produce(topic, 0, 50);
        Map<String, String> limit = Map.of("max.poll.records", "7", "share.acquire.mode", "record_limit");
        try (KafkaShareConsumer<String, String> consumer = consumer(topic, "implicit", limit)) {
            consumer.subscribe(List.of(topic));
            int count = 0;
            long deadline = System.currentTimeMillis() + 120_000;
            while (count < 50 && System.currentTimeMillis() < deadline) {
                int polled = consumer.poll(Duration.ofSeconds(1)).count();
                expect(polled <= 7, "at most 7 at once, got " + polled);
                count += polled;
            }
            expect(count == 50, "all 50, got " + count);
        }
    }

    private void aborted(String topic) throws Exception {
        prepare(topic, 1);
        alterGroup(topic, "share.isolation.level", "read_committed");
        try (KafkaProducer<String, String> producer = producer(Map.of("transactional.id", topic))) {
            producer.initTransactions();
            for (int transaction = 0; transaction < 4; transaction++) {
                producer.beginTransaction();
                for (int index = 0; index < 3; index++)
                    producer.send(new ProducerRecord<>(topic, transaction + "-" + index));
                if (transaction % 2 == 0) producer.commitTransaction();
                else producer.abortTransaction();
            }
        }
        try (KafkaShareConsumer<String, String> consumer = consumer(topic, "implicit")) {
            consumer.subscribe(List.of(topic));
            List<String> values = new ArrayList<>();
            for (ConsumerRecord<String, String> record : take(consumer, 6)) values.add(record.value());
            expect(values.equals(List.of("0-0", "0-1", "0-2", "2-0", "2-1", "2-2")), "committed records, got " + values);
            expect(quiet(consumer, 2_000).isEmpty(), "nothing of the aborted ones");
        }
    }

    private void beforeFailover(String ignored) throws Exception {
        String topic = "failover";
        prepare(topic, 1);
        produce(topic, 0, 10);
        try (KafkaShareConsumer<String, String> consumer = consumer(topic, "explicit")) {
            consumer.subscribe(List.of(topic));
            for (ConsumerRecord<String, String> record : take(consumer, 10))
                consumer.acknowledge(record, record.offset() % 2 == 0 ? AcknowledgeType.ACCEPT : AcknowledgeType.RELEASE);
            consumer.commitSync(Duration.ofSeconds(60)).values()
                .forEach(error -> error.ifPresent(each -> { throw each; }));
        }
    }

    private void afterFailover(String ignored) throws Exception {
        String topic = "failover";
        try (KafkaShareConsumer<String, String> consumer = consumer(topic, "implicit")) {
            consumer.subscribe(List.of(topic));
            List<Long> offsets = new ArrayList<>();
            for (ConsumerRecord<String, String> record : take(consumer, 5)) {
                offsets.add(record.offset());
                expect(record.deliveryCount().get() == 2, "second delivery, got " + record.deliveryCount());
            }
            expect(offsets.equals(List.of(1L, 3L, 5L, 7L, 9L)), "what was released, got " + offsets);
            expect(quiet(consumer, 2_000).isEmpty(), "nothing of what was accepted");
        }
    }

    // -------------------------------------------------------------------------------------------------------- helpers

    private static void expect(boolean holds, String what) {
        if (!holds) throw new IllegalStateException("expected: " + what);
    }

    /** The topic, and a group of the same name that reads it from the beginning. */
    private void prepare(String topic, int partitions) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 3))).all().get();
        alterGroup(topic, "share.auto.offset.reset", "earliest");
    }

    private void alterGroup(String group, String name, String value) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
        AlterConfigOp change = new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all().get();
    }

    private KafkaProducer<String, String> producer(Map<String, String> settings) {
        Map<String, Object> all = new HashMap<>(settings);
        all.put("bootstrap.servers", bootstrap);
        return new KafkaProducer<>(all, new StringSerializer(), new StringSerializer());
    }

    private void produce(String topic, int from, int to) {
        try (KafkaProducer<String, String> producer = producer(Map.of())) {
            for (int value = from; value < to; value++) producer.send(new ProducerRecord<>(topic, String.valueOf(value)));
        }
    }

    private KafkaShareConsumer<String, String> consumer(String group, String mode) {
        return consumer(group, mode, Map.of());
    }

    private KafkaShareConsumer<String, String> consumer(String group, String mode, Map<String, String> settings) {
        Map<String, Object> all = new HashMap<>(settings);
        all.put("bootstrap.servers", bootstrap);
        all.put("group.id", group);
        all.put("share.acknowledgement.mode", mode);
        return new KafkaShareConsumer<>(all, new StringDeserializer(), new StringDeserializer());
    }

    /** Polls until so many records came; in explicit mode of one poll, as the records of a poll must be acknowledged before the next. */
    private static List<ConsumerRecord<String, String>> take(KafkaShareConsumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        long deadline = System.currentTimeMillis() + 120_000;
        while (records.size() < count && System.currentTimeMillis() < deadline)
            consumer.poll(Duration.ofSeconds(1)).forEach(records::add);
        expect(records.size() == count, count + " records, got " + records.size());
        return records;
    }

    /** What comes within so many ms. */
    private static List<ConsumerRecord<String, String>> quiet(KafkaShareConsumer<String, String> consumer, long ms) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        long deadline = System.currentTimeMillis() + ms;
        while (System.currentTimeMillis() < deadline) consumer.poll(Duration.ofMillis(500)).forEach(records::add);
        return records;
    }
}
