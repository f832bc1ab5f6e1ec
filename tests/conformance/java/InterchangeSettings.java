import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialAlteration;
import org.apache.kafka.clients.admin.UserScramCredentialDeletion;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.SaslAuthenticationException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.token.delegation.DelegationToken;
import org.apache.kafka.common.serialization.StringDeserializer;

/** What is in the metadata: topics, settings, users, rights, quotas, delegation tokens. Some of all of it is removed again. */
final class InterchangeSettings {
    private static final String OPERATOR = "operator";
    private static final ScramMechanism[] MECHANISMS = {ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512};

    private final InterchangeClients clients;
    private final Admin admin;
    private final List<DelegationToken> tokens = new ArrayList<>();

    InterchangeSettings(InterchangeClients clients) {
        this.clients = clients;
        this.admin = clients.admin;
    }

    void makeTopics(int stage) throws Exception {
        if (stage == 1) {
            Map<String, String> compact = Map.of("cleanup.policy", "compact", "segment.bytes", "1048576", "min.cleanable.dirty.ratio", "0.01");
            admin.createTopics(List.of(
                topic("codecs", 6, Map.of()),
                topic("append-time", 1, Map.of("message.timestamp.type", "LogAppendTime")),
                topic("segments", 1, Map.of("segment.bytes", "1048576")),
                topic("compacted", 2, compact),
                topic("idempotent", 1, Map.of()),
                topic("repeated", 1, Map.of()),
                topic("live", 2, Map.of()),
                topic("read-classic", 3, Map.of()),
                topic("read-consumer", 3, Map.of()),
                topic("shared", 1, Map.of()),
                topic("transactions", 3, Map.of()),
                topic("open-commits", 1, Map.of()),
                topic("open-aborts", 1, Map.of()),
                topic("open-fenced", 1, Map.of()),
                topic("open-admin", 1, Map.of()),
                topic("grown", 1, Map.of()))).all().get();
        }
        Map<Integer, List<Integer>> replicas = Map.of(0, List.of(3, 1), 1, List.of(2, 3), 2, List.of(1, 2));
        admin.createTopics(List.of(
            new NewTopic("made-" + stage, replicas).configs(Map.of("retention.ms", String.valueOf(1_000_000_000L + stage))),
            topic("gone-" + stage, 2, Map.of("retention.bytes", "1000000")))).all().get();
        admin.createPartitions(Map.of("grown", NewPartitions.increaseTo(1 + stage))).all().get();
        until("topics have leaders", List.of("made-" + stage, "gone-" + stage, "grown"));
        admin.deleteTopics(List.of("gone-" + stage)).all().get();
    }

    private void until(String what, List<String> topics) throws Exception {
        InterchangeClients.until(what, () -> {
            try {
                return admin.describeTopics(topics).allTopicNames().get().values().stream()
                    .allMatch(each -> each.partitions().stream().allMatch(partition -> partition.leader() != null));
            } catch (ExecutionException notKnownYet) {
                if (notKnownYet.getCause() instanceof UnknownTopicOrPartitionException) return false;
                throw notKnownYet;
            }
        });
    }

    private static NewTopic topic(String name, int partitions, Map<String, String> configs) {
        return new NewTopic(name, partitions, (short) 3).configs(configs);
    }

    void alter(int stage) throws Exception {
        Map<ConfigResource, Collection<AlterConfigOp>> changes = new HashMap<>();
        changes.put(new ConfigResource(ConfigResource.Type.TOPIC, "made-" + stage), List.of(
            set("max.message.bytes", String.valueOf(3_000_000 + stage)), set("retention.bytes", "123456789")));
        if (stage > 1) changes.put(new ConfigResource(ConfigResource.Type.TOPIC, "made-" + (stage - 1)), List.of(delete("retention.bytes")));
        changes.put(new ConfigResource(ConfigResource.Type.BROKER, ""), List.of(set("message.max.bytes", String.valueOf(2_000_000 + stage))));
        changes.put(new ConfigResource(ConfigResource.Type.BROKER, "1"),
            List.of(set("leader.replication.throttled.rate", String.valueOf(1_000_000_000L + stage))));
        changes.put(new ConfigResource(ConfigResource.Type.GROUP, "set-" + stage), List.of(set("consumer.session.timeout.ms", "46000")));
        changes.put(new ConfigResource(ConfigResource.Type.GROUP, "shares"), List.of(set("share.auto.offset.reset", "earliest")));
        changes.put(new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "metrics-" + stage),
            List.of(set("interval.ms", "60000"), set("match", "client_id=nobody")));
        admin.incrementalAlterConfigs(changes).all().get();

        ClientQuotaEntity user = new ClientQuotaEntity(Map.of(ClientQuotaEntity.USER, user(stage)));
        Map<String, String> anyClient = new HashMap<>();
        anyClient.put(ClientQuotaEntity.USER, user(stage));
        anyClient.put(ClientQuotaEntity.CLIENT_ID, null);
        List<ClientQuotaAlteration> quotas = new ArrayList<>(List.of(
            new ClientQuotaAlteration(user, List.of(quota("consumer_byte_rate", 900_000_000.0 + stage), quota("request_percentage", 800.5))),
            new ClientQuotaAlteration(new ClientQuotaEntity(anyClient), List.of(quota("producer_byte_rate", 900_000_000.0)))));
        if (stage > 1) {
            ClientQuotaEntity before = new ClientQuotaEntity(Map.of(ClientQuotaEntity.USER, user(stage - 1)));
            quotas.add(new ClientQuotaAlteration(before, List.of(quota("request_percentage", null))));
        }
        admin.alterClientQuotas(quotas).all().get();
    }

    private static AlterConfigOp set(String name, String value) {
        return new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
    }

    private static AlterConfigOp delete(String name) {
        return new AlterConfigOp(new ConfigEntry(name, ""), AlterConfigOp.OpType.DELETE);
    }

    private static ClientQuotaAlteration.Op quota(String key, Double value) {
        return new ClientQuotaAlteration.Op(key, value);
    }

    private static String user(int stage) {
        return "user-" + stage;
    }

    void addUsers(int stage) throws Exception {
        List<UserScramCredentialAlteration> credentials = new ArrayList<>();
        // A request may name a user once.
        for (ScramMechanism mechanism : MECHANISMS) {
            if (stage == 1) credentials.add(credential(OPERATOR, mechanism, 4096));
            credentials.add(credential(user(stage), mechanism, 4096 + stage));
            admin.alterUserScramCredentials(credentials).all().get();
            credentials.clear();
        }
        credentials.add(credential("temporary-" + stage, ScramMechanism.SCRAM_SHA_256, 4096));
        if (stage > 1) credentials.add(new UserScramCredentialDeletion("temporary-" + (stage - 1), ScramMechanism.SCRAM_SHA_256));
        admin.alterUserScramCredentials(credentials).all().get();

        AclBinding kept = allow(user(stage), new ResourcePattern(ResourceType.TOPIC, "codecs", PatternType.LITERAL), AclOperation.READ);
        AclBinding prefixed = allow(user(stage), new ResourcePattern(ResourceType.TOPIC, "made-", PatternType.PREFIXED), AclOperation.DESCRIBE);
        AclBinding removed = allow(user(stage), new ResourcePattern(ResourceType.TOPIC, "segments", PatternType.LITERAL), AclOperation.READ);
        AclBinding denied = new AclBinding(new ResourcePattern(ResourceType.GROUP, "*", PatternType.LITERAL),
            new AccessControlEntry("User:" + user(stage), "127.0.0." + (100 + stage), AclOperation.ALL, AclPermissionType.DENY));
        admin.createAcls(List.of(kept, prefixed, removed, denied)).all().get();
        admin.deleteAcls(List.of(removed.toFilter())).all().get();
        InterchangeClients.until("the new user can log in", () -> canLogIn(user(stage)));
        if (stage == 1) InterchangeClients.until("the operator can log in", () -> canLogIn(OPERATOR));
        try (Admin operator = operator()) {
            tokens.add(operator.createDelegationToken().delegationToken().get());
            InterchangeClients.until("the token is known", () -> operator.describeDelegationToken().delegationTokens().get().size() == tokens.size());
        }
    }

    private static UserScramCredentialUpsertion credential(String user, ScramMechanism mechanism, int iterations) {
        return new UserScramCredentialUpsertion(user, new ScramCredentialInfo(mechanism, iterations), "secret of " + user);
    }

    private static AclBinding allow(String user, ResourcePattern resource, AclOperation operation) {
        return new AclBinding(resource, new AccessControlEntry("User:" + user, "*", operation, AclPermissionType.ALLOW));
    }

    private boolean canLogIn(String user) throws Exception {
        // Whatever broker is asked, it has to know the user.
        for (int attempt = 0; attempt < 3; attempt++) {
            try (Admin as = Admin.create(clients.saslSettings("SCRAM-SHA-256", user, "secret of " + user, ""))) {
                as.describeCluster().nodes().get();
            } catch (ExecutionException refused) {
                if (refused.getCause() instanceof SaslAuthenticationException) return false;
                throw refused;
            }
        }
        return true;
    }

    Admin operator() {
        return Admin.create(clients.saslSettings("SCRAM-SHA-512", OPERATOR, "secret of " + OPERATOR, ""));
    }

    /** Each user with both mechanisms, and each token: they may read what they could read, and nothing else. */
    void logIn(int stage) throws Exception {
        for (int before = 1; before < stage; before++) {
            for (ScramMechanism mechanism : MECHANISMS) {
                Map<String, Object> login = clients.saslSettings(mechanism.mechanismName(), user(before), "secret of " + user(before), "");
                InterchangeClients.expect(readOne(login, "codecs"), user(before) + " reads a record with " + mechanism);
                InterchangeClients.expect(isDenied(login, "segments"), user(before) + " is denied the other topic");
            }
        }
        String wrong = refusal(clients.saslSettings("SCRAM-SHA-256", user(1), "wrong", ""));
        InterchangeClients.expect(wrong.contains("SaslAuthenticationException"), "a wrong password is refused, got " + wrong);
        String removed = stage < 3 ? "" : refusal(clients.saslSettings("SCRAM-SHA-256", "temporary-1", "secret of temporary-1", ""));
        InterchangeClients.expect(stage < 3 || removed.contains("SaslAuthenticationException"), "a removed user is refused, got " + removed);
        for (DelegationToken token : tokens) {
            Map<String, Object> login =
                clients.saslSettings("SCRAM-SHA-256", token.tokenInfo().tokenId(), token.hmacAsBase64String(), " tokenauth=\"true\"");
            InterchangeClients.expect(readOne(login, "segments"), "the token's owner reads a record");
        }
        InterchangeClients.expect(tokens.size() == stage - 1, "one token of each stage");
    }

    private static String refusal(Map<String, Object> login) throws Exception {
        try (Admin as = Admin.create(login)) {
            as.describeCluster().nodes().get();
            return "none";
        } catch (ExecutionException refused) {
            return String.valueOf(refused.getCause());
        }
    }

    private static boolean readOne(Map<String, Object> login, String topic) {
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(login, new StringDeserializer(), new StringDeserializer())) {
            TopicPartition at = new TopicPartition(topic, 0);
            consumer.assign(List.of(at));
            consumer.seekToBeginning(List.of(at));
            long deadline = System.currentTimeMillis() + 120_000;
            while (System.currentTimeMillis() < deadline) if (!consumer.poll(Duration.ofMillis(500)).isEmpty()) return true;
            return false;
        }
    }

    private static boolean isDenied(Map<String, Object> login, String topic) {
        try {
            readOne(login, topic);
            return false;
        } catch (TopicAuthorizationException denied) {
            return denied.unauthorizedTopics().contains(topic);
        }
    }
}
