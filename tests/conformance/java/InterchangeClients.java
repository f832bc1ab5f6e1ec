import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Clients of the cluster that Interchange.java works on, and how to wait for what announces itself to nobody. */
final class InterchangeClients {
    private static final long PATIENCE_MS = 120_000;

    final Admin admin;
    private final String bootstrap;
    private final String saslBootstrap;

    InterchangeClients(String bootstrap, String saslBootstrap) {
        this.bootstrap = bootstrap;
        this.saslBootstrap = saslBootstrap;
        this.admin = Admin.create(settings(Map.of()));
    }

    Map<String, Object> settings(Map<String, Object> more) {
        Map<String, Object> all = new HashMap<>();
        all.put("bootstrap.servers", bootstrap);
        // As long as a change of the brokers takes.
        all.put("request.timeout.ms", "20000");
        all.put("default.api.timeout.ms", "120000");
        all.putAll(more);
        return all;
    }

    /** Of somebody who logs in with SCRAM. */
    Map<String, Object> saslSettings(String mechanism, String user, String secret, String options) {
        return settings(Map.of(
            "bootstrap.servers", saslBootstrap,
            "security.protocol", "SASL_PLAINTEXT",
            "sasl.mechanism", mechanism,
            "sasl.jaas.config", "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"" + user + "\" password=\"" + secret
                + "\"" + options + ";"));
    }

    KafkaProducer<String, String> producer(Map<String, Object> more) {
        Map<String, Object> all = settings(more);
        all.remove("default.api.timeout.ms");
        all.putIfAbsent("acks", "all");
        all.put("max.block.ms", "120000");
        all.put("delivery.timeout.ms", "120000");
        return new KafkaProducer<>(all, new StringSerializer(), new StringSerializer());
    }

    KafkaConsumer<String, String> consumer(Map<String, Object> more) {
        Map<String, Object> all = settings(more);
        all.putIfAbsent("auto.offset.reset", "earliest");
        all.putIfAbsent("enable.auto.commit", "false");
        return new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer());
    }

    /** All that a consumer of committed records sees of a partition. */
    List<String> committed(String topic, int partition) {
        TopicPartition at = new TopicPartition(topic, partition);
        List<String> values = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer = consumer(Map.of("isolation.level", "read_committed"))) {
            consumer.assign(List.of(at));
            consumer.seekToBeginning(List.of(at));
            long end = consumer.endOffsets(List.of(at)).get(at);
            long deadline = System.currentTimeMillis() + PATIENCE_MS;
            while (consumer.position(at) < end) {
                if (System.currentTimeMillis() > deadline) throw new IllegalStateException(at + " was not read up to " + end);
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) values.add(record.value());
            }
        }
        return values;
    }

    static void expect(boolean holds, String what) {
        if (!holds) throw new IllegalStateException("expected: " + what);
    }

    /** Asks until it holds. */
    static void until(String what, Callable<Boolean> holds) throws Exception {
        until(what, PATIENCE_MS, holds);
    }

    static void until(String what, long withinMs, Callable<Boolean> holds) throws Exception {
        long deadline = System.currentTimeMillis() + withinMs;
        while (!holds.call()) {
            if (System.currentTimeMillis() > deadline) throw new IllegalStateException("in vain: " + what);
            Thread.sleep(50);
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
