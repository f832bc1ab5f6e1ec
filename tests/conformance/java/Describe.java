import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.config.ConfigResource;

/** Prints what a broker describes of itself, a topic, a group and a client metrics subscription, one JSON object for each setting. */
public class Describe {
    public static void main(String[] args) throws Exception {
        ObjectMapper json = new ObjectMapper();
        List<ConfigResource> resources = List.of(
            new ConfigResource(ConfigResource.Type.BROKER, "1"),
            new ConfigResource(ConfigResource.Type.TOPIC, "described"),
            new ConfigResource(ConfigResource.Type.GROUP, "nobody"),
            new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "nobody"));
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
            NewTopic topic = new NewTopic("described", 1, (short) 1);
            admin.createTopics(List.of(topic.configs(Map.of("retention.ms", "5000", "cleanup.policy", "compact,delete")))).all().get();
            var options = new DescribeConfigsOptions().includeSynonyms(true);
            for (var described : admin.describeConfigs(resources, options).all().get().entrySet()) {
                List<ConfigEntry> entries = new ArrayList<>(described.getValue().entries());
                entries.sort(Comparator.comparing(ConfigEntry::name));
                for (ConfigEntry entry : entries) {
                    Map<String, Object> line = new LinkedHashMap<>();
                    line.put("resource", described.getKey().type().toString());
                    line.put("name", entry.name());
                    line.put("value", entry.value());
                    line.put("source", entry.source().toString());
                    line.put("type", entry.type().toString());
                    line.put("readOnly", entry.isReadOnly());
                    line.put("sensitive", entry.isSensitive());
                    List<String> synonyms = new ArrayList<>();
                    for (var each : entry.synonyms()) synonyms.add(each.source() + ":" + each.name() + "=" + each.value());
                    line.put("synonyms", synonyms);
                    System.out.println(json.writeValueAsString(line));
                }
            }
        }
    }
}
