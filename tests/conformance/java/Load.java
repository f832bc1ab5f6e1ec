import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * A steady load: writes numbered records with acks=all until a line comes on standard input, then reads the topic from its start and says
 * what became of them.
 *
 * Arguments: bootstrap servers, topic, records per second, bytes per record. Says "running" once the first record is acknowledged, and at
 * the end one line: acked, failed, lost (acknowledged, but not at its offset), twice (in the log more than once), slowest (ms to the
 * acknowledgement).
 */
public final class Load {
    private static final Map<Integer, String> acked = new ConcurrentHashMap<>();
    private static final AtomicInteger failed = new AtomicInteger();
    private static final AtomicLong slowestMs = new AtomicLong();
    private static volatile boolean over = false;

    private Load() {
    }

    public static void main(String[] args) throws Exception {
        Thread waiting = new Thread(() -> {
            try {
                System.in.read();
            } catch (java.io.IOException error) {
                System.err.println(error);
            }
            over = true;
        });
        waiting.setDaemon(true);
        waiting.start();
        produce(args[0], args[1], Integer.parseInt(args[2]), Integer.parseInt(args[3]));
        verify(args[0], args[1]);
    }

    private static void produce(String bootstrap, String topic, int perSecond, int bytes) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("acks", "all");
        settings.put("delivery.timeout.ms", "300000");
        settings.put("request.timeout.ms", "20000");
        settings.put("key.serializer", StringSerializer.class.getName());
        settings.put("value.serializer", StringSerializer.class.getName());
        String padding = "-".repeat(bytes);
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings)) {
            long startNs = System.nanoTime();
            for (int number = 0; !over; number++) {
                int id = number;
                long sentNs = System.nanoTime();
                producer.send(new ProducerRecord<>(topic, "key" + id, id + padding), (metadata, error) -> {
                    if (error != null) {
                        System.err.println("record " + id + ": " + error);
                        failed.incrementAndGet();
                        return;
                    }
                    acked.put(id, metadata.partition() + "@" + metadata.offset());
                    slowestMs.accumulateAndGet((System.nanoTime() - sentNs) / 1_000_000, Math::max);
                    if (id == 0) System.out.println("running");
                });
                long dueNs = startNs + (number + 1L) * 1_000_000_000L / perSecond;
                long earlyMs = (dueNs - System.nanoTime()) / 1_000_000;
                if (earlyMs > 0) Thread.sleep(earlyMs);
            }
        }
    }

    private static void verify(String bootstrap, String topic) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("key.deserializer", StringDeserializer.class.getName());
        settings.put("value.deserializer", StringDeserializer.class.getName());
        Map<Integer, String> found = new HashMap<>();
        int twice = 0;
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
            List<TopicPartition> partitions = new ArrayList<>();
            for (PartitionInfo each : consumer.partitionsFor(topic)) partitions.add(new TopicPartition(topic, each.partition()));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) {
                    int id = Integer.parseInt(record.key().substring(3));
                    if (found.put(id, record.partition() + "@" + record.offset()) != null) twice++;
                }
            }
        }
        int lost = 0;
        for (Map.Entry<Integer, String> each : acked.entrySet()) {
            if (!each.getValue().equals(found.get(each.getKey()))) lost++;
        }
        System.out.println(
            "acked " + acked.size() + " failed " + failed + " lost " + lost + " twice " + twice + " slowest " + slowestMs
        );
    }
}
