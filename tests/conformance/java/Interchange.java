import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.TopicDescription;

/**
 * The life of a cluster whose brokers are taken away and replaced by others on the same directories. It goes in stages: `work N` adds to
 * everything that a cluster can keep and leaves some of it unfinished, `resume N` goes on with what stage N - 1 left, with the same clients,
 * which have lived through the change. Between them `census` tells all that is there.
 *
 * Arguments: bootstrap servers without and with SASL. Commands are lines on standard input; the answer to one are lines, `ok STEP`,
 * `failed STEP: WHY` or `fact NAME<tab>VALUE`, and then `end COMMAND`.
 */
public final class Interchange {
    private interface Step {
        void run(int stage) throws Exception;
    }

    private final InterchangeClients clients;
    private final InterchangeSettings settings;
    private final InterchangeRecords records;
    private final InterchangeGroups groups;
    private final InterchangeTransactions transactions;

    private Interchange(String bootstrap, String saslBootstrap) {
        clients = new InterchangeClients(bootstrap, saslBootstrap);
        settings = new InterchangeSettings(clients);
        records = new InterchangeRecords(clients);
        groups = new InterchangeGroups(clients);
        transactions = new InterchangeTransactions(clients);
    }

    public static void main(String[] arguments) throws Exception {
        Interchange life = new Interchange(arguments[0], arguments[1]);
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split(" ");
            int stage = words.length > 1 ? Integer.parseInt(words[1]) : 0;
            switch (words[0]) {
                case "work" -> life.work(stage);
                case "resume" -> life.resume(stage);
                case "compaction" -> step("compaction", stage, life.records::awaitCompaction);
                case "aborted" -> step("aborted by an administrator", stage, life.transactions::abortedByAdministrator);
                case "census" -> step("census", stage, life::census);
                default -> throw new IllegalArgumentException("unknown command: " + line);
            }
            System.out.println("end " + line);
        }
        // Consumers in groups still poll.
        System.exit(0);
    }

    private void work(int stage) {
        step("topics", stage, settings::makeTopics);
        step("settings", stage, settings::alter);
        step("users", stage, settings::addUsers);
        step("codecs", stage, records::writeWithEachCodec);
        step("segments", stage, records::writeAndDeleteSegments);
        step("compacted", stage, records::writeCompacted);
        step("idempotent producer", stage, records::writeIdempotently);
        step("committed offsets", stage, groups::commitOffsets);
        step("classic group", stage, number -> groups.readOn(number, "classic"));
        step("consumer group", stage, number -> groups.readOn(number, "consumer"));
        step("living members", stage, groups::feedMembers);
        step("share group", stage, groups::share);
        step("transactions", stage, transactions::commitAndAbort);
        step("open transactions", stage, transactions::leaveOpen);
        step("in sync", stage, this::awaitInSync);
    }

    private void resume(int stage) {
        step("logins", stage, settings::logIn);
        step("idempotent producer", stage, records::writeIdempotently);
        step("classic group", stage, number -> groups.readOn(number, "classic"));
        step("consumer group", stage, number -> groups.readOn(number, "consumer"));
        step("living members", stage, groups::feedMembers);
        step("owner commits", stage, transactions::commitOpen);
        step("owner aborts", stage, transactions::abortOpen);
        step("successor fences", stage, transactions::fenceOpen);
    }

    private static void step(String name, int stage, Step step) {
        long since = System.currentTimeMillis();
        try {
            step.run(stage);
            System.out.println("ok " + name + " (" + (System.currentTimeMillis() - since) + " ms)");
        } catch (Throwable wrong) {
            System.out.println("\nfailed " + name + ": " + wrong);
            wrong.printStackTrace(System.out);
        }
    }

    private void census(int stage) throws Exception {
        try (Admin operator = settings.operator()) {
            for (Map.Entry<String, String> fact : Census.take(clients.admin, operator, clients.settings(Map.of())).entrySet())
                System.out.println("fact " + fact.getKey() + "\t" + fact.getValue());
        }
    }

    /** Whoever is to survive the loss of the leaders has everything. */
    private void awaitInSync(int stage) throws Exception {
        InterchangeClients.until("every replica is in sync", () -> {
            List<String> names = List.copyOf(clients.admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get());
            for (TopicDescription topic : clients.admin.describeTopics(names).allTopicNames().get().values())
                if (topic.partitions().stream().anyMatch(each -> each.isr().size() < each.replicas().size())) return false;
            return true;
        });
    }
}
