import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Groups: offsets alone, members of both protocols that come and go, members that live through a change of the brokers, share groups. */
final class InterchangeGroups {
    private static final long PATIENCE_MS = 120_000;
    private static final int FED = 10;
    private static final int SHARED = 30;

    private final InterchangeClients clients;
    private final List<Member> members = new ArrayList<>();
    private int fed;
    private int reads;
    /** Values of the shared topic that nobody has accepted. */
    private final Set<String> released = new TreeSet<>();

    InterchangeGroups(InterchangeClients clients) {
        this.clients = clients;
    }

    /** A consumer on a thread of its own, as long as the program runs. */
    private final class Member extends Thread {
        private final String group;
        private final KafkaConsumer<String, String> consumer;
        private final List<String> values = new ArrayList<>();
        private volatile int committed;
        private volatile Throwable failure;

        private Member(String protocol) {
            group = "live-" + protocol;
            consumer = clients.consumer(Map.of("group.id", group, "group.protocol", protocol));
            consumer.subscribe(List.of("live"));
            setDaemon(true);
            start();
        }

        @Override
        public void run() {
            try {
                while (true) {
                    ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
                    if (records.isEmpty()) continue;
                    synchronized (values) {
                        for (ConsumerRecord<String, String> record : records) values.add(record.value());
                    }
                    commit();
                    committed = values.size();
                }
            } catch (Throwable wrong) {
                failure = wrong;
            }
        }

        private void commit() {
            try {
                consumer.commitSync();
            } catch (CommitFailedException | RebalanceInProgressException moved) {
                // What was not committed comes again.
            }
        }

        private Set<String> seen() {
            synchronized (values) {
                return new HashSet<>(values);
            }
        }
    }

    void commitOffsets(int stage) throws Exception {
        for (int group = 0; group < 10; group++) {
            Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
            for (int partition = 0; partition < 6; partition++)
                offsets.put(new TopicPartition("codecs", partition), new OffsetAndMetadata(group * 10L + partition, "stage " + stage + " ü"));
            clients.admin.alterConsumerGroupOffsets("simple-" + stage + "-" + group, offsets).all().get();
        }
        clients.admin.deleteConsumerGroups(List.of("simple-" + stage + "-9")).all().get();
        clients.admin.deleteConsumerGroupOffsets("simple-" + stage + "-8", Set.of(new TopicPartition("codecs", 5))).all().get();
    }

    /**
     * Twenty new records, which a member of the group reads and commits before it leaves: the group goes on where it had committed, so that
     * it gets these, and nothing else.
     */
    void readOn(int stage, String protocol) throws Exception {
        String topic = "read-" + protocol;
        reads++;
        Set<String> fresh = new TreeSet<>();
        for (int index = 0; index < 20; index++) fresh.add("stage " + stage + " reading " + reads + " " + index);
        write(topic, fresh);
        List<String> values = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer = clients.consumer(Map.of("group.id", topic, "group.protocol", protocol))) {
            consumer.subscribe(List.of(topic));
            long deadline = System.currentTimeMillis() + PATIENCE_MS;
            while (values.size() < fresh.size() && System.currentTimeMillis() < deadline)
                consumer.poll(Duration.ofMillis(500)).forEach(record -> values.add(record.value()));
            consumer.poll(Duration.ofMillis(200)).forEach(record -> values.add(record.value()));
            consumer.commitSync();
        }
        InterchangeClients.expect(values.size() == fresh.size() && fresh.containsAll(values), "the new records alone, got " + values);
    }

    private void write(String topic, Iterable<String> values) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<String, String> producer = clients.producer(Map.of("linger.ms", "5"))) {
            for (String value : values) sent.add(producer.send(new ProducerRecord<>(topic, value)));
        }
        for (Future<RecordMetadata> each : sent) each.get();
    }

    /** Members that have been there since the first stage get what is written now; what they had before does not come again. */
    void feedMembers(int stage) throws Exception {
        if (members.isEmpty()) for (String protocol : List.of("classic", "consumer")) members.add(new Member(protocol));
        Set<String> values = new TreeSet<>();
        for (int index = 0; index < FED; index++) values.add(String.valueOf(fed++));
        write("live", values);
        for (Member member : members) {
            InterchangeClients.until(member.group + " has committed all " + fed, () -> {
                if (member.failure != null) throw new IllegalStateException(member.group, member.failure);
                return member.committed >= fed && member.seen().size() == fed;
            });
            InterchangeClients.expect(member.committed == fed, member.group + " got each record once: " + fed + ", got " + member.committed);
        }
    }

    /**
     * A share consumer gets what was released before and what is new, and nothing that was accepted before. It accepts four fifths of it and
     * releases the rest.
     */
    void share(int stage) throws Exception {
        Set<String> expected = new TreeSet<>(released);
        Set<String> fresh = new TreeSet<>();
        for (int index = 0; index < SHARED; index++) fresh.add("stage " + stage + " " + index);
        expected.addAll(fresh);
        write("shared", fresh);
        released.clear();
        Set<String> seen = new HashSet<>();
        Map<String, Object> settings = clients.settings(Map.of("group.id", "shares", "share.acknowledgement.mode", "explicit"));
        try (KafkaShareConsumer<String, String> consumer =
                 new KafkaShareConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of("shared"));
            long deadline = System.currentTimeMillis() + PATIENCE_MS;
            while (seen.size() < expected.size() && System.currentTimeMillis() < deadline) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) {
                    InterchangeClients.expect(expected.contains(record.value()), "only what nobody accepted, got " + record.value());
                    if (seen.add(record.value()) && seen.size() % 5 == 0) released.add(record.value());
                    boolean release = released.contains(record.value());
                    consumer.acknowledge(record, release ? AcknowledgeType.RELEASE : AcknowledgeType.ACCEPT);
                }
                consumer.commitSync(Duration.ofSeconds(60)).values().forEach(error -> error.ifPresent(each -> { throw each; }));
            }
        }
        InterchangeClients.expect(seen.equals(expected), "all of " + expected.size() + ", got " + seen.size());
    }
}
