import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.metrics.ClientMetricsConfigs;
import org.apache.kafka.storage.internals.log.LogConfig;

/** Prints Apache Kafka's own tables of settings, one JSON object for each, without those that it keeps to itself. */
public class ConfigTables {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        print("broker", kafka.server.KafkaConfig.configDef());
        print("topic", LogConfig.configDefCopy());
        print("group", GroupConfig.CONFIG_DEF);
        print("client-metrics", ClientMetricsConfigs.configDef());
    }

    private static void print(String table, ConfigDef definitions) throws Exception {
        Map<String, String> modes = DynamicBrokerConfig.dynamicConfigUpdateModes();
        for (ConfigDef.ConfigKey key : new TreeMap<>(definitions.configKeys()).values()) {
            if (key.internalConfig) continue;
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("table", table);
            line.put("name", key.name);
            line.put("type", key.type.toString().toLowerCase());
            boolean none = key.defaultValue == ConfigDef.NO_DEFAULT_VALUE || key.defaultValue == null;
            line.put("defaultText", none ? null : ConfigDef.convertToString(key.defaultValue, key.type));
            if (table.equals("broker")) line.put("update", modes.getOrDefault(key.name, "read-only"));
            System.out.println(JSON.writeValueAsString(line));
        }
    }
}
