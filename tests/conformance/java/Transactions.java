import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.InvalidTxnStateException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TransactionAbortableException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Transactions of Apache Kafka's Java clients. Prints a line per check: `ok NAME` or `failed NAME: WHY`.
 * Arguments: bootstrap servers of a cluster with three brokers; the transaction.version to finalize first; names of checks (default: all).
 */
public final class Transactions {
    private interface Check {
        void run(String name) throws Exception;
    }

    private final String bootstrap;
    private final Admin admin;

    private Transactions(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    public static void main(String[] arguments) throws Exception {
        Transactions all = new Transactions(arguments[0]);
        short version = Short.parseShort(arguments[1]);
        all.finalizeVersion(version);
        Set<String> wanted = new HashSet<>(List.of(arguments).subList(2, arguments.length));
        Map<String, Check> checks = new LinkedHashMap<>();
        checks.put("commit", all::commit);
        checks.put("abort", all::abort);
        checks.put("many", all::many);
        checks.put("empty", all::empty);
        checks.put("offsets", all::offsets);
        checks.put("fencing", all::fencing);
        checks.put("timeout", all::timeout);
        checks.put("admin", all::administer);
        checks.forEach((name, check) -> {
            if (!wanted.isEmpty() && !wanted.contains(name)) return;
            try {
                check.run("v" + version + "-" + name + "-" + System.nanoTime());
                System.out.println("ok " + name);
            } catch (Throwable problem) {
                System.out.println("failed " + name + ": " + problem);
                problem.printStackTrace();
            }
        });
        all.admin.close();
        System.exit(0);
    }

    private void finalizeVersion(short version) throws Exception {
        var finalized = admin.describeFeatures().featureMetadata().get().finalizedFeatures().get("transaction.version");
        short present = finalized == null ? 0 : finalized.maxVersionLevel();
        if (present == version) return;
        var type = version < present ? FeatureUpdate.UpgradeType.SAFE_DOWNGRADE : FeatureUpdate.UpgradeType.UPGRADE;
        admin.updateFeatures(Map.of("transaction.version", new FeatureUpdate(version, type)), new UpdateFeaturesOptions()).all().get();
    }

    private static void expect(Object expected, Object actual) {
        if (!expected.equals(actual)) throw new AssertionError("expected " + expected + ", got " + actual);
    }

    private void create(String topic, int partitions) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 3))).all().get();
    }

    private KafkaProducer<String, String> producer(String transactionalId, Map<String, Object> more) {
        Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", bootstrap));
        if (transactionalId != null) settings.put("transactional.id", transactionalId);
        settings.putAll(more);
        return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
    }

    private KafkaProducer<String, String> producer(String transactionalId) {
        return producer(transactionalId, Map.of());
    }

    private KafkaConsumer<String, String> consumer(String group, String isolation) {
        Map<String, Object> settings = new HashMap<>(Map.of(
            "bootstrap.servers", bootstrap, "group.protocol", "classic", "auto.offset.reset", "earliest", "isolation.level", isolation,
            "enable.auto.commit", "false", "heartbeat.interval.ms", "200", "session.timeout.ms", "60000", "fetch.max.wait.ms", "100"));
        if (group != null) settings.put("group.id", group);
        return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    }

    private static List<TopicPartition> partitions(String topic, int count) {
        return IntStream.range(0, count).mapToObj(index -> new TopicPartition(topic, index)).collect(Collectors.toList());
    }

    /** All values up to the ends of the partitions as the isolation level sees them, sorted. */
    private List<String> read(String topic, int count, String isolation) {
        try (KafkaConsumer<String, String> consumer = consumer(null, isolation)) {
            List<TopicPartition> all = partitions(topic, count);
            consumer.assign(all);
            consumer.seekToBeginning(all);
            Map<TopicPartition, Long> ends = consumer.endOffsets(all);
            TreeSet<String> sorted = new TreeSet<>();
            List<String> values = new ArrayList<>();
            long deadline = System.nanoTime() + 120_000_000_000L;
            while (all.stream().anyMatch(each -> consumer.position(each) < ends.get(each))) {
                if (System.nanoTime() > deadline) throw new AssertionError("did not come to the end of " + topic + ": " + ends);
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) values.add(record.value());
            }
            values.sort(null);
            sorted.addAll(values);
            if (sorted.size() != values.size()) throw new AssertionError("records come twice: " + values);
            return values;
        }
    }

    private List<String> until(String topic, int count, List<String> expected) {
        long deadline = System.nanoTime() + 120_000_000_000L;
        for (;;) {
            List<String> seen = read(topic, count, "read_committed");
            if (seen.equals(expected)) return seen;
            if (System.nanoTime() > deadline) throw new AssertionError("expected " + expected + ", still " + seen);
        }
    }

    private static List<String> write(KafkaProducer<String, String> producer, String topic, int partitions, String prefix, int count) {
        List<String> values = new ArrayList<>();
        for (int index = 0; index < count; index++) {
            String value = prefix + "-" + String.format("%04d", index);
            values.add(value);
            producer.send(new ProducerRecord<>(topic, index % partitions, null, value));
        }
        return values;
    }

    private void commit(String name) throws Exception {
        create(name, 3);
        try (KafkaProducer<String, String> producer = producer(name)) {
            producer.initTransactions();
            producer.beginTransaction();
            List<String> values = write(producer, name, 3, "a", 30);
            producer.flush();
            expect(values, read(name, 3, "read_uncommitted"));
            expect(List.of(), read(name, 3, "read_committed"));
            producer.commitTransaction();
            until(name, 3, values);
        }
    }

    private void abort(String name) throws Exception {
        create(name, 2);
        try (KafkaProducer<String, String> producer = producer(name)) {
            producer.initTransactions();
            producer.beginTransaction();
            write(producer, name, 2, "aborted", 20);
            producer.flush();
            producer.abortTransaction();
            producer.beginTransaction();
            List<String> values = write(producer, name, 2, "committed", 20);
            producer.commitTransaction();
            until(name, 2, values);
            expect(40, read(name, 2, "read_uncommitted").size());
        }
    }

    private void many(String name) throws Exception {
        create(name, 3);
        List<String> expected = new ArrayList<>();
        try (KafkaProducer<String, String> producer = producer(name)) {
            producer.initTransactions();
            for (int round = 0; round < 100; round++) {
                producer.beginTransaction();
                List<String> values = write(producer, name, 3, "round-" + String.format("%03d", round), 3);
                if (round % 3 == 0) {
                    // What is still in the producer is given up, too.
                    if (round % 2 == 0) producer.flush();
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                    expected.addAll(values);
                }
            }
            until(name, 3, expected);
        }
    }

    private void empty(String name) throws Exception {
        create(name, 1);
        try (KafkaProducer<String, String> producer = producer(name)) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.commitTransaction();
            producer.beginTransaction();
            producer.abortTransaction();
            producer.beginTransaction();
            List<String> values = write(producer, name, 1, "a", 1);
            producer.commitTransaction();
            until(name, 1, values);
        }
    }

    /** Consume, transform, produce; every third batch is aborted once and then done again. */
    private void offsets(String name) throws Exception {
        String from = name + "-from";
        String to = name + "-to";
        create(from, 2);
        create(to, 2);
        List<String> input;
        try (KafkaProducer<String, String> producer = producer(null)) {
            input = write(producer, from, 2, "x", 200);
        }
        Map<TopicPartition, Long> done = new HashMap<>();
        int batches = 0;
        try (KafkaProducer<String, String> producer = producer(name); KafkaConsumer<String, String> consumer = consumer(name, "read_committed")) {
            producer.initTransactions();
            consumer.subscribe(List.of(from));
            long deadline = System.nanoTime() + 120_000_000_000L;
            while (done.values().stream().mapToLong(Long::longValue).sum() < input.size()) {
                if (System.nanoTime() > deadline) throw new AssertionError("came to " + done + " only");
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(100));
                if (records.isEmpty()) continue;
                Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                producer.beginTransaction();
                for (ConsumerRecord<String, String> record : records) {
                    producer.send(new ProducerRecord<>(to, record.partition(), null, record.value().toUpperCase()));
                    offsets.put(new TopicPartition(from, record.partition()), new OffsetAndMetadata(record.offset() + 1));
                }
                producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                if (batches++ % 3 == 0) {
                    producer.abortTransaction();
                    // Back to what is committed: the offsets of the aborted transaction are not.
                    Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(consumer.assignment());
                    for (TopicPartition each : consumer.assignment()) {
                        OffsetAndMetadata at = committed.get(each);
                        expect(done.getOrDefault(each, 0L), at == null ? 0L : at.offset());
                        consumer.seek(each, at == null ? 0 : at.offset());
                    }
                } else {
                    producer.commitTransaction();
                    offsets.forEach((partition, offset) -> done.put(partition, offset.offset()));
                }
            }
            // Committed offsets can be read as soon as the transaction is complete.
            Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(new HashSet<>(partitions(from, 2)));
            committed.forEach((partition, offset) -> expect(100L, offset.offset()));
        }
        until(to, 2, input.stream().map(String::toUpperCase).sorted().collect(Collectors.toList()));
    }

    private void fencing(String name) throws Exception {
        create(name, 1);
        KafkaProducer<String, String> first = producer(name);
        first.initTransactions();
        first.beginTransaction();
        write(first, name, 1, "first", 5);
        first.flush();
        try (KafkaProducer<String, String> second = producer(name)) {
            second.initTransactions();
            second.beginTransaction();
            List<String> values = write(second, name, 1, "second", 5);
            second.commitTransaction();
            until(name, 1, values);
            try {
                first.commitTransaction();
                throw new AssertionError("a fenced producer committed");
            } catch (ProducerFencedException | InvalidProducerEpochException fenced) {
                expect(values, read(name, 1, "read_committed"));
            }
        } finally {
            first.close(Duration.ZERO);
        }
    }

    private void timeout(String name) throws Exception {
        create(name, 1);
        try (KafkaProducer<String, String> slow = producer(name, Map.of("transaction.timeout.ms", 10_000)); KafkaProducer<String, String> plain = producer(null)) {
            slow.initTransactions();
            slow.beginTransaction();
            write(slow, name, 1, "slow", 5);
            slow.flush();
            List<String> values = write(plain, name, 1, "plain", 5);
            plain.flush();
            // The open transaction hides what comes after it, until it is aborted.
            expect(List.of(), read(name, 1, "read_committed"));
            until(name, 1, values);
            try {
                slow.commitTransaction();
                throw new AssertionError("a transaction that timed out was committed");
            } catch (ProducerFencedException | InvalidProducerEpochException | InvalidTxnStateException | TransactionAbortableException tooLate) {
                expect(values, read(name, 1, "read_committed"));
            }
        }
    }

    private void administer(String name) throws Exception {
        create(name, 2);
        KafkaProducer<String, String> open = producer(name);
        open.initTransactions();
        open.beginTransaction();
        write(open, name, 2, "open", 4);
        open.flush();
        TransactionDescription description = admin.describeTransactions(List.of(name)).description(name).get();
        expect(TransactionState.ONGOING, description.state());
        expect(new HashSet<>(partitions(name, 2)), new HashSet<>(description.topicPartitions()));
        expect(60_000L, description.transactionTimeoutMs());
        Collection<TransactionListing> ongoing =
            admin.listTransactions(new ListTransactionsOptions().filterStates(Set.of(TransactionState.ONGOING))).all().get();
        expect(true, ongoing.stream().anyMatch(each -> each.transactionalId().equals(name) && each.producerId() == description.producerId()));
        expect(List.of(), List.copyOf(admin.listTransactions(new ListTransactionsOptions().filterOnDuration(3_600_000)).all().get().stream()
            .filter(each -> each.transactionalId().equals(name) && each.state() == TransactionState.ONGOING).toList()));
        Collection<TransactionListing> matching =
            admin.listTransactions(new ListTransactionsOptions().filterOnTransactionalIdPattern(name.substring(0, 8) + ".*")).all().get();
        expect(true, matching.stream().anyMatch(each -> each.transactionalId().equals(name)));
        admin.fenceProducers(List.of(name)).all().get();
        until(name, 2, List.of());
        try {
            open.commitTransaction();
            throw new AssertionError("a fenced producer committed");
        } catch (KafkaException fenced) {
            open.close(Duration.ZERO);
        }
        TransactionState state = admin.describeTransactions(List.of(name)).description(name).get().state();
        expect(TransactionState.EMPTY, state);
    }
}
