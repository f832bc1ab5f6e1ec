import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * A producer that is asked for its metrics pushes them, and they are shown. Arguments: bootstrap server, address of the inspector. Prints `ok`
 * or the metrics page.
 */
public class Telemetry {
    public static void main(String[] args) throws Exception {
        String page = "";
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0], "enable.metrics.push", "false"))) {
            ConfigResource subscription = new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "producers");
            admin.incrementalAlterConfigs(Map.of(subscription, List.of(
                set("metrics", "org.apache.kafka.producer."),
                set("interval.ms", "500"),
                set("match", "client_id=measured-.*,client_software_name=apache-kafka-java")))).all().get();
        }
        Map<String, Object> settings = Map.of("bootstrap.servers", args[0], "client.id", "measured-1", "metadata.max.age.ms", "1000");
        HttpClient http = HttpClient.newHttpClient();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            long deadline = System.currentTimeMillis() + 120_000;
            while (System.currentTimeMillis() < deadline) {
                producer.send(new ProducerRecord<>("measured", "key", "value")).get();
                page = http.send(HttpRequest.newBuilder(URI.create(args[1])).build(), HttpResponse.BodyHandlers.ofString()).body();
                Optional<String> shown = page.lines()
                    .filter(line -> line.startsWith("kafka_client_org_apache_kafka_producer_"))
                    .filter(line -> line.contains("client_id=\"measured-1\""))
                    .filter(line -> !line.endsWith(" 0"))
                    .findFirst();
                if (shown.isPresent()) {
                    System.out.println("ok " + shown.get());
                    return;
                }
                Thread.sleep(100);
            }
        }
        System.out.println(page);
    }

    private static AlterConfigOp set(String name, String value) {
        return new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
    }
}
