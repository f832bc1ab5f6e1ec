import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;

/** Transactions: ended ones of one producer through all stages, and four that are open when the brokers are taken away. */
final class InterchangeTransactions {
    private static final int RECORDS = 5;
    private static final List<String> UNFINISHED = List.of("open-commits", "open-aborts", "open-fenced", "open-admin");

    private final InterchangeClients clients;
    private KafkaProducer<String, String> regular;
    private final Map<String, KafkaProducer<String, String>> open = new HashMap<>();
    /** What a reader of committed records is to find, by topic. */
    private final Map<String, List<String>> visible = new HashMap<>();

    InterchangeTransactions(InterchangeClients clients) {
        this.clients = clients;
        for (String topic : UNFINISHED) visible.put(topic, new ArrayList<>());
    }

    void commitAndAbort(int stage) throws Exception {
        if (regular == null) {
            regular = transactional("regular");
            regular.initTransactions();
        }
        for (int transaction = 0; transaction < 9; transaction++) {
            regular.beginTransaction();
            for (int index = 0; index < 2 * RECORDS; index++)
                regular.send(new ProducerRecord<>("transactions", index % 3, "stage " + stage, transaction + " " + index));
            if (transaction == 0) sendOffset(regular, "group-of-transactions", 0, stage * 10L);
            // An abort drops what was not sent yet: how much would be in the log, nobody could tell.
            regular.flush();
            if (transaction % 3 == 2) regular.abortTransaction();
            else regular.commitTransaction();
        }
        expectOffset("group-of-transactions", 0, stage * 10L);
    }

    private KafkaProducer<String, String> transactional(String id) {
        return clients.producer(Map.of("transactional.id", id, "transaction.timeout.ms", "900000"));
    }

    private static void sendOffset(KafkaProducer<String, String> producer, String group, int partition, long offset) {
        producer.sendOffsetsToTransaction(Map.of(new TopicPartition("codecs", partition), new OffsetAndMetadata(offset, "by a transaction")),
            new ConsumerGroupMetadata(group));
    }

    private void expectOffset(String group, int partition, Long offset) throws Exception {
        InterchangeClients.until(group + " has offset " + offset, () -> {
            OffsetAndMetadata committed =
                clients.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(new TopicPartition("codecs", partition));
            return offset == null ? committed == null : committed != null && committed.offset() == offset;
        });
    }

    /** One each for its owner to commit, for its owner to abort, for a successor to fence, for an administrator to abort. */
    void leaveOpen(int stage) throws Exception {
        for (String topic : UNFINISHED) {
            KafkaProducer<String, String> producer = transactional(topic + "-" + stage);
            producer.initTransactions();
            producer.beginTransaction();
            send(producer, topic, "open in stage " + stage);
            if (topic.equals("open-commits")) sendOffset(producer, "group-of-open", 1, 100L + stage);
            producer.flush();
            open.put(topic + "-" + stage, producer);
            expectVisible(topic);
        }
        expectOffset("group-of-open", 1, stage == 1 ? null : Long.valueOf(99L + stage));
    }

    private static void send(KafkaProducer<String, String> producer, String topic, String text) {
        for (int index = 0; index < RECORDS; index++) producer.send(new ProducerRecord<>(topic, 0, null, text + " " + index));
    }

    private void nowVisible(String topic, String text) {
        for (int index = 0; index < RECORDS; index++) visible.get(topic).add(text + " " + index);
    }

    /** Apache Kafka answers a commit before all partitions have heard of it. */
    private void awaitVisible(String topic) throws Exception {
        InterchangeClients.until("what was committed is seen", () -> clients.committed(topic, 0).size() >= visible.get(topic).size());
        expectVisible(topic);
    }

    private void expectVisible(String topic) {
        List<String> seen = clients.committed(topic, 0);
        InterchangeClients.expect(seen.equals(visible.get(topic)), topic + " shows " + visible.get(topic) + ", got " + seen);
    }

    /** The owner goes on as if nothing had happened: what it wrote before and after the change is committed together. */
    void commitOpen(int stage) throws Exception {
        String before = "open in stage " + (stage - 1);
        KafkaProducer<String, String> owner = open.remove("open-commits-" + (stage - 1));
        expectVisible("open-commits");
        send(owner, "open-commits", "finished in stage " + stage);
        owner.commitTransaction();
        nowVisible("open-commits", before);
        nowVisible("open-commits", "finished in stage " + stage);
        awaitVisible("open-commits");
        expectOffset("group-of-open", 1, 99L + stage);
        owner.close();
    }

    void abortOpen(int stage) throws Exception {
        KafkaProducer<String, String> owner = open.remove("open-aborts-" + (stage - 1));
        owner.abortTransaction();
        expectVisible("open-aborts");
        owner.beginTransaction();
        send(owner, "open-aborts", "after the abort " + stage);
        owner.commitTransaction();
        nowVisible("open-aborts", "after the abort " + stage);
        awaitVisible("open-aborts");
        owner.close();
    }

    /** A new producer with the same id ends the transaction of the old one, which gets nothing in any more. */
    void fenceOpen(int stage) throws Exception {
        String id = "open-fenced-" + (stage - 1);
        KafkaProducer<String, String> zombie = open.remove(id);
        try (KafkaProducer<String, String> successor = transactional(id)) {
            successor.initTransactions();
            successor.beginTransaction();
            send(successor, "open-fenced", "by the successor " + stage);
            successor.commitTransaction();
        }
        nowVisible("open-fenced", "by the successor " + stage);
        awaitVisible("open-fenced");
        try {
            send(zombie, "open-fenced", "by the zombie");
            zombie.commitTransaction();
            throw new IllegalStateException("expected: the first producer is fenced");
        } catch (ProducerFencedException | InvalidProducerEpochException fenced) {
            expectVisible("open-fenced");
        } catch (KafkaException wrapped) {
            Throwable cause = wrapped.getCause();
            InterchangeClients.expect(cause instanceof ProducerFencedException || cause instanceof InvalidProducerEpochException,
                "the first producer is fenced, got " + wrapped);
            expectVisible("open-fenced");
        } finally {
            zombie.close(Duration.ZERO);
        }
    }

    /** After `kafka-transactions abort`: nothing of it is to be seen, and what comes later is. */
    void abortedByAdministrator(int stage) throws Exception {
        open.remove("open-admin-" + (stage - 1)).close(Duration.ZERO);
        try (KafkaProducer<String, String> plain = clients.producer(Map.of())) {
            send(plain, "open-admin", "after the administrator " + stage);
        }
        nowVisible("open-admin", "after the administrator " + stage);
        awaitVisible("open-admin");
    }
}
