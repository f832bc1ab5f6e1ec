import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Collection;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.CloseOptions.GroupMembershipOperation;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsMetadata;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/**
 * One instance of an application that counts words exactly once as a member of a streams group (group.protocol=streams); see Words.java.
 * Arguments: bootstrap servers, application id, state directory, host:port under which others would find it, number of threads.
 *
 * A line of standard input is a command, answered by one line: `endpoints` says where which partitions are, as this instance was told;
 * `leave` closes it and leaves the group.
 */
public final class CountingInstance {
    private CountingInstance() {
    }

    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        settings.putAll(Map.of("bootstrap.servers", arguments[0], "application.id", arguments[1], "state.dir", arguments[2],
            "application.server", arguments[3], "num.stream.threads", arguments[4], "group.protocol", "streams",
            "processing.guarantee", "exactly_once_v2", "commit.interval.ms", "100", "replication.factor", "-1",
            "statestore.cache.max.bytes", "0"));
        settings.put("auto.offset.reset", "earliest");
        KafkaStreams streams = new KafkaStreams(Words.topology(), settings);
        streams.setUncaughtExceptionHandler(problem -> {
            System.out.println("replaced a thread: " + problem);
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        streams.setStateListener((now, before) -> System.out.println("state " + now));
        streams.start();
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String command = commands.readLine(); command != null; command = commands.readLine()) {
            if (command.equals("endpoints")) System.out.println("endpoints " + endpoints(streams));
            else if (command.equals("leave")) {
                CloseOptions options = CloseOptions.groupMembershipOperation(GroupMembershipOperation.LEAVE_GROUP).withTimeout(Duration.ofSeconds(60));
                System.out.println("left " + streams.close(options));
                System.exit(0);
            } else throw new IllegalArgumentException(command);
        }
    }

    private static String endpoints(KafkaStreams streams) {
        return streams.metadataForAllStreamsClients().stream()
            .map(each -> each.host() + ":" + each.port() + " active=" + names(each.topicPartitions()) + " standby=" + names(each.standbyTopicPartitions()))
            .sorted().collect(Collectors.joining("; "));
    }

    private static String names(Collection<TopicPartition> partitions) {
        return partitions.stream().map(TopicPartition::toString).sorted().collect(Collectors.joining(","));
    }
}
