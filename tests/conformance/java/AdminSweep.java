import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.admin.ConfigEntry.ConfigSource;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.metrics.KafkaMetric;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;
import org.apache.kafka.common.security.token.delegation.DelegationToken;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Every method of Kafka's Admin, in every overload, each with a claim about its result. Prints for each name of a method `ok NAME`,
 * `refused NAME: WHY` when the cluster does not offer what it needs, or `failed NAME: WHY`. Which overloads were called is seen by a proxy, so
 * that a method without a case fails, in a later release too.
 * Arguments: bootstrap servers of three brokers with an authorizer and delegation tokens; a file with settings of clients (a super user).
 */
public final class AdminSweep {
    private interface Check {
        void run() throws Exception;
    }

    private final Map<String, Object> settings = new HashMap<>();
    private final Map<String, Check> checks = new LinkedHashMap<>();
    private final Set<String> called = new TreeSet<>();
    private final Admin admin;

    private AdminSweep(String bootstrap, String file) throws Exception {
        Properties properties = new Properties();
        try (var reader = java.nio.file.Files.newBufferedReader(java.nio.file.Path.of(file))) {
            properties.load(reader);
        }
        properties.forEach((key, value) -> settings.put((String) key, value));
        settings.put("bootstrap.servers", bootstrap);
        admin = watched(Admin.create(with(Map.of("enable.metrics.push", "true"))));
        topics();
        cluster();
        security();
        groups();
        groupsOfOtherTypes();
        transactions();
        client();
    }

    private Admin watched(Admin real) {
        return (Admin) Proxy.newProxyInstance(Admin.class.getClassLoader(), new Class<?>[] {Admin.class}, (proxy, method, arguments) -> {
            called.add(signature(method));
            try {
                return method.invoke(real, arguments);
            } catch (InvocationTargetException thrown) {
                throw thrown.getCause();
            }
        });
    }

    private static String signature(Method method) {
        return method.getName() + Arrays.stream(method.getParameterTypes()).map(Class::getSimpleName)
            .collect(Collectors.joining(", ", "(", ")"));
    }

    public static void main(String[] arguments) throws Exception {
        AdminSweep sweep = new AdminSweep(arguments[0], arguments[1]);
        Map<String, Set<String>> declared = new TreeMap<>();
        for (Method method : Admin.class.getDeclaredMethods()) {
            if (Modifier.isStatic(method.getModifiers()) || method.isSynthetic()) continue;
            declared.computeIfAbsent(method.getName(), name -> new TreeSet<>()).add(signature(method));
        }
        for (String name : sweep.checks.keySet())
            if (!declared.containsKey(name)) System.out.println("failed " + name + ": Admin has no such method");
        sweep.checks.forEach((name, check) -> System.out.println("\n" + sweep.outcome(name, check, declared.getOrDefault(name, Set.of()))));
        for (String name : declared.keySet())
            if (!sweep.checks.containsKey(name)) System.out.println("failed " + name + ": no case");
        System.exit(0);
    }

    private String outcome(String name, Check check, Set<String> overloads) {
        try {
            check.run();
            Set<String> missing = new TreeSet<>(overloads);
            missing.removeAll(called);
            return missing.isEmpty() ? "ok " + name : "failed " + name + ": never called: " + missing;
        } catch (Throwable problem) {
            for (Throwable cause = problem; cause != null; cause = cause.getCause())
                if (cause instanceof UnsupportedVersionException) return "refused " + name + ": " + cause.getMessage();
            problem.printStackTrace(System.out);
            return "failed " + name + ": " + problem;
        }
    }

    // ------------------------------------------------------------------------------------------------------ claims

    private static void expect(Object expected, Object actual) {
        if (!expected.equals(actual)) throw new AssertionError("expected " + expected + ", got " + actual);
    }

    private static <T> T get(KafkaFuture<T> future) throws Exception {
        return future.get(30, TimeUnit.SECONDS);
    }

    private static void refused(Class<? extends Throwable> expected, Callable<?> call) throws Exception {
        Object result;
        try {
            result = call.call();
        } catch (Exception thrown) {
            Throwable cause = thrown.getCause() == null ? thrown : thrown.getCause();
            if (expected.isInstance(cause)) return;
            throw new AssertionError("expected " + expected.getSimpleName() + ", got " + cause, thrown);
        }
        throw new AssertionError("expected " + expected.getSimpleName() + ", got " + result);
    }

    private static void eventuallyRefused(Class<? extends Throwable> expected, Callable<?> call) throws Exception {
        until("refused", () -> {
            try {
                refused(expected, call);
                return true;
            } catch (AssertionError notYet) {
                return false;
            }
        });
    }

    /** For what the whole cluster learns a moment after the answer. */
    private static void until(String what, Callable<Boolean> holds) throws Exception {
        long deadline = System.nanoTime() + 120_000_000_000L;
        while (!holds.call()) if (System.nanoTime() > deadline) throw new AssertionError("not within 120 s: " + what);
    }

    // ------------------------------------------------------------------------------------------------ what is given

    private TopicPartition topic(String name, int records) throws Exception {
        get(admin.createTopics(List.of(new NewTopic(name, 1, (short) 3))).all());
        until(name + " is known", () -> names().contains(name));
        try (KafkaProducer<String, String> producer = producer(Map.of())) {
            for (int index = 0; index < records; index++) producer.send(new ProducerRecord<>(name, 0, "key", "value-" + index)).get();
        }
        return new TopicPartition(name, 0);
    }

    private Set<String> names() throws Exception {
        return get(admin.listTopics().names());
    }

    private Map<String, Object> with(Map<String, Object> more) {
        Map<String, Object> all = new HashMap<>(settings);
        all.putAll(more);
        return all;
    }

    private KafkaProducer<String, String> producer(Map<String, Object> more) {
        return new KafkaProducer<>(with(more), new StringSerializer(), new StringSerializer());
    }

    private KafkaProducer<String, String> openTransaction(String transactionalId, TopicPartition partition) throws Exception {
        KafkaProducer<String, String> producer = producer(Map.of("transactional.id", transactionalId));
        producer.initTransactions();
        producer.beginTransaction();
        producer.send(new ProducerRecord<>(partition.topic(), 0, "key", "open")).get();
        return producer;
    }

    /** A member that has its partition, and has committed offset 3. */
    private Consumer<String, String> member(String group, String protocol, TopicPartition partition, Map<String, Object> more) throws Exception {
        Map<String, Object> all = with(Map.of("group.id", group, "group.protocol", protocol, "auto.offset.reset", "earliest",
            "enable.auto.commit", "false"));
        all.putAll(more);
        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of(partition.topic()));
        until(group + " has its partition", () -> {
            consumer.poll(Duration.ofMillis(100));
            return consumer.assignment().contains(partition);
        });
        consumer.commitSync(Map.of(partition, new OffsetAndMetadata(3, "three")));
        return consumer;
    }

    private void emptyGroup(String group, TopicPartition partition) throws Exception {
        member(group, "classic", partition, Map.of()).close();
    }

    private List<Integer> replicas(String topic) throws Exception {
        return get(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic).partitions().get(0).replicas().stream()
            .map(Node::id).toList();
    }

    // ------------------------------------------------------------------------------------------------------- topics

    private void topics() {
        checks.put("createTopics", () -> {
            CreateTopicsResult created = admin.createTopics(List.of(
                new NewTopic("created", 3, (short) 2).configs(Map.of("retention.ms", "60000"))));
            get(created.all());
            expect(3, get(created.numPartitions("created")));
            expect(2, get(created.replicationFactor("created")));
            expect("60000", get(created.config("created")).get("retention.ms").value());
            expect(false, get(created.topicId("created")).equals(Uuid.ZERO_UUID));
            refused(TopicExistsException.class, () -> get(admin.createTopics(List.of(new NewTopic("created", 1, (short) 1))).all()));
            refused(InvalidReplicationFactorException.class,
                () -> get(admin.createTopics(List.of(new NewTopic("too-many", 1, (short) 4))).all()));
            NewTopic assigned = new NewTopic("validated", Map.of(0, List.of(2, 1)));
            get(admin.createTopics(List.of(assigned), new CreateTopicsOptions().validateOnly(true)).all());
            expect(false, names().contains("validated"));
        });
        checks.put("listTopics", () -> {
            until("created is listed", () -> names().contains("created"));
            expect(false, names().contains("__consumer_offsets"));
            emptyGroup("lister", topic("listed", 4));
            Map<String, TopicListing> all = get(admin.listTopics(new ListTopicsOptions().listInternal(true)).namesToListings());
            expect(true, all.get("__consumer_offsets").isInternal());
        });
        checks.put("describeTopics", () -> {
            TopicDescription byName = get(admin.describeTopics(List.of("created")).allTopicNames()).get("created");
            expect(3, byName.partitions().size());
            expect(2, byName.partitions().get(0).isr().size());
            TopicDescription authorized = get(admin.describeTopics(List.of("created"),
                new DescribeTopicsOptions().includeAuthorizedOperations(true).partitionSizeLimitPerResponse(2)).allTopicNames()).get("created");
            expect(3, authorized.partitions().size());
            expect(true, authorized.authorizedOperations().contains(AclOperation.DELETE));
            TopicCollection ids = TopicCollection.ofTopicIds(List.of(byName.topicId()));
            expect("created", get(admin.describeTopics(ids).allTopicIds()).get(byName.topicId()).name());
            expect("created", get(admin.describeTopics(ids, new DescribeTopicsOptions()).allTopicIds()).get(byName.topicId()).name());
            refused(UnknownTopicOrPartitionException.class, () -> get(admin.describeTopics(List.of("absent")).allTopicNames()));
            TopicCollection absent = TopicCollection.ofTopicIds(List.of(Uuid.randomUuid()));
            refused(UnknownTopicIdException.class, () -> get(admin.describeTopics(absent).allTopicIds()));
        });
        checks.put("createPartitions", () -> {
            get(admin.createPartitions(Map.of("created", NewPartitions.increaseTo(5)), new CreatePartitionsOptions().validateOnly(true)).all());
            get(admin.createPartitions(Map.of("created", NewPartitions.increaseTo(4, List.of(List.of(1, 3))))).all());
            until("four partitions", () ->
                get(admin.describeTopics(List.of("created")).allTopicNames()).get("created").partitions().size() == 4);
            refused(InvalidPartitionsException.class, () -> get(admin.createPartitions(Map.of("created", NewPartitions.increaseTo(2))).all()));
        });
        checks.put("deleteTopics", () -> {
            for (String name : List.of("gone-1", "gone-2", "gone-3", "gone-4")) topic(name, 0);
            get(admin.deleteTopics(List.of("gone-1")).all());
            get(admin.deleteTopics(List.of("gone-2"), new DeleteTopicsOptions().timeoutMs(20_000)).all());
            get(admin.deleteTopics(TopicCollection.ofTopicNames(List.of("gone-3"))).all());
            Uuid id = get(admin.describeTopics(List.of("gone-4")).allTopicNames()).get("gone-4").topicId();
            get(admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id)), new DeleteTopicsOptions()).all());
            until("all are gone", () -> names().stream().noneMatch(name -> name.startsWith("gone")));
            refused(UnknownTopicOrPartitionException.class, () -> get(admin.deleteTopics(List.of("gone-1")).all()));
        });
        checks.put("deleteRecords", () -> {
            TopicPartition partition = topic("shortened", 5);
            expect(2L, get(admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(2))).lowWatermarks().get(partition)).lowWatermark());
            // -1 stands for the high watermark.
            expect(5L, get(admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(-1)), new DeleteRecordsOptions())
                .lowWatermarks().get(partition)).lowWatermark());
            refused(OffsetOutOfRangeException.class,
                () -> get(admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(9))).all()));
        });
        checks.put("listOffsets", () -> {
            TopicPartition partition = topic("offsets", 4);
            expect(4L, get(admin.listOffsets(Map.of(partition, OffsetSpec.latest())).partitionResult(partition)).offset());
            expect(0L, get(admin.listOffsets(Map.of(partition, OffsetSpec.earliest())).partitionResult(partition)).offset());
            expect(0L, get(admin.listOffsets(Map.of(partition, OffsetSpec.forTimestamp(1))).partitionResult(partition)).offset());
            try (KafkaProducer<String, String> open = openTransaction("offsets", partition)) {
                expect(4L, get(admin.listOffsets(Map.of(partition, OffsetSpec.latest()),
                    new ListOffsetsOptions(IsolationLevel.READ_COMMITTED)).partitionResult(partition)).offset());
                expect(5L, get(admin.listOffsets(Map.of(partition, OffsetSpec.latest()),
                    new ListOffsetsOptions(IsolationLevel.READ_UNCOMMITTED)).partitionResult(partition)).offset());
                open.abortTransaction();
            }
        });
        checks.put("electLeaders", () -> {
            TopicPartition partition = topic("elected", 0);
            refused(ElectionNotNeededException.class, () -> {
                throw (Exception) get(admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).partitions()).get(partition).get();
            });
            refused(ElectionNotNeededException.class, () -> {
                throw (Exception) get(admin.electLeaders(ElectionType.UNCLEAN, Set.of(partition), new ElectLeadersOptions()).partitions())
                    .get(partition).get();
            });
        });
        checks.put("alterPartitionReassignments", () -> {
            get(admin.createTopics(List.of(new NewTopic("moved", Map.of(0, List.of(1, 2))))).all());
            TopicPartition partition = new TopicPartition("moved", 0);
            until("moved is known", () -> names().contains("moved"));
            get(admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(2, 3))))).all());
            until("moved", () -> replicas("moved").equals(List.of(2, 3)));
            refused(NoReassignmentInProgressException.class, () -> get(admin.alterPartitionReassignments(
                Map.of(partition, Optional.empty()), new AlterPartitionReassignmentsOptions().allowReplicationFactorChange(false)).all()));
            refused(InvalidReplicaAssignmentException.class, () -> get(admin.alterPartitionReassignments(
                Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(9))))).all()));
        });
        checks.put("listPartitionReassignments", () -> {
            Set<TopicPartition> one = Set.of(new TopicPartition("moved", 0));
            ListPartitionReassignmentsOptions options = new ListPartitionReassignmentsOptions();
            until("the move has ended", () -> get(admin.listPartitionReassignments().reassignments()).isEmpty());
            expect(Map.of(), get(admin.listPartitionReassignments(one).reassignments()));
            expect(Map.of(), get(admin.listPartitionReassignments(one, options).reassignments()));
            expect(Map.of(), get(admin.listPartitionReassignments(options).reassignments()));
            expect(Map.of(), get(admin.listPartitionReassignments(Optional.of(one), options).reassignments()));
        });
    }

    // ------------------------------------------------------------------------------------------------------ cluster

    private void cluster() {
        checks.put("describeCluster", () -> {
            DescribeClusterResult described = admin.describeCluster();
            expect(Set.of(1, 2, 3), get(described.nodes()).stream().map(Node::id).collect(Collectors.toSet()));
            expect(22, get(described.clusterId()).length());
            DescribeClusterResult more = admin.describeCluster(
                new DescribeClusterOptions().includeAuthorizedOperations(true).includeFencedBrokers(true));
            expect(true, get(more.authorizedOperations()).contains(AclOperation.ALTER));
            expect(3, get(more.nodes()).size());
        });
        checks.put("describeConfigs", () -> {
            ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, "created");
            ConfigEntry retention = get(admin.describeConfigs(List.of(topic)).all()).get(topic).get("retention.ms");
            expect("60000 " + ConfigSource.DYNAMIC_TOPIC_CONFIG, retention.value() + " " + retention.source());
            ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "3");
            ConfigEntry id = get(admin.describeConfigs(List.of(broker),
                new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true)).all()).get(broker).get("node.id");
            expect("3 true", id.value() + " " + id.isReadOnly());
            expect(ConfigSource.STATIC_BROKER_CONFIG, id.synonyms().get(0).source());
            expect(false, id.documentation().isEmpty());
        });
        checks.put("incrementalAlterConfigs", () -> {
            ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, "created");
            Map<ConfigResource, Collection<AlterConfigOp>> set = Map.of(topic,
                List.of(new AlterConfigOp(new ConfigEntry("segment.ms", "70000"), AlterConfigOp.OpType.SET)));
            get(admin.incrementalAlterConfigs(set, new AlterConfigsOptions().validateOnly(true)).all());
            expect(false, "70000".equals(get(admin.describeConfigs(List.of(topic)).all()).get(topic).get("segment.ms").value()));
            get(admin.incrementalAlterConfigs(set).all());
            until("segment.ms is altered",
                () -> "70000".equals(get(admin.describeConfigs(List.of(topic)).all()).get(topic).get("segment.ms").value()));
            refused(InvalidConfigurationException.class, () -> get(admin.incrementalAlterConfigs(Map.of(topic,
                List.of(new AlterConfigOp(new ConfigEntry("segment.ms", "often"), AlterConfigOp.OpType.SET)))).all()));
        });
        checks.put("listConfigResources", () -> {
            Collection<ConfigResource> topics =
                get(admin.listConfigResources(Set.of(ConfigResource.Type.TOPIC), new ListConfigResourcesOptions()).all());
            expect(true, topics.contains(new ConfigResource(ConfigResource.Type.TOPIC, "created")));
            Collection<ConfigResource> all = get(admin.listConfigResources().all());
            expect(true, all.contains(new ConfigResource(ConfigResource.Type.BROKER, "2")) && all.containsAll(topics));
        });
        checks.put("listClientMetricsResources", () -> {
            ConfigResource metrics = new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "sweep");
            get(admin.incrementalAlterConfigs(Map.of(metrics,
                List.of(new AlterConfigOp(new ConfigEntry("interval.ms", "60000"), AlterConfigOp.OpType.SET)))).all());
            ClientMetricsResourceListing expected = new ClientMetricsResourceListing("sweep");
            until("sweep is listed", () -> get(admin.listClientMetricsResources().all()).contains(expected));
            expect(true, get(admin.listClientMetricsResources(new ListClientMetricsResourcesOptions()).all()).contains(expected));
        });
        checks.put("describeLogDirs", () -> {
            TopicPartition partition = topic("measured", 5);
            Map<Integer, Map<String, LogDirDescription>> all = get(admin.describeLogDirs(List.of(1, 2, 3)).allDescriptions());
            expect(Set.of(1, 2, 3), all.keySet());
            LogDirDescription dir = get(admin.describeLogDirs(List.of(2), new DescribeLogDirsOptions()).allDescriptions()).get(2)
                .values().iterator().next();
            expect(true, dir.replicaInfos().get(partition).size() > 0 && dir.totalBytes().getAsLong() > dir.usableBytes().getAsLong());
        });
        checks.put("describeReplicaLogDirs", () -> {
            TopicPartitionReplica replica = new TopicPartitionReplica("measured", 0, 2);
            String dir = get(admin.describeLogDirs(List.of(2)).allDescriptions()).get(2).keySet().iterator().next();
            expect(dir, get(admin.describeReplicaLogDirs(List.of(replica)).all()).get(replica).getCurrentReplicaLogDir());
            expect(0L, get(admin.describeReplicaLogDirs(List.of(replica), new DescribeReplicaLogDirsOptions()).all()).get(replica)
                .getCurrentReplicaOffsetLag());
        });
        checks.put("alterReplicaLogDirs", () -> {
            TopicPartitionReplica replica = new TopicPartitionReplica("measured", 0, 2);
            String dir = get(admin.describeLogDirs(List.of(2)).allDescriptions()).get(2).keySet().iterator().next();
            get(admin.alterReplicaLogDirs(Map.of(replica, dir)).all());
            refused(LogDirNotFoundException.class,
                () -> get(admin.alterReplicaLogDirs(Map.of(replica, "/absent"), new AlterReplicaLogDirsOptions()).all()));
        });
        checks.put("describeMetadataQuorum", () -> {
            QuorumInfo quorum = get(admin.describeMetadataQuorum().quorumInfo());
            Set<Integer> voters = quorum.voters().stream().map(QuorumInfo.ReplicaState::replicaId).collect(Collectors.toSet());
            expect(Set.of(1, 2, 3), voters);
            expect(true, voters.contains(quorum.leaderId()) && quorum.highWatermark() > 0);
            expect(true, get(admin.describeMetadataQuorum(new DescribeMetadataQuorumOptions()).quorumInfo()).leaderEpoch() >= quorum.leaderEpoch());
        });
        checks.put("addRaftVoter", () -> {
            Set<RaftVoterEndpoint> at = Set.of(new RaftVoterEndpoint("CONTROLLER", "127.0.0.1", 9));
            // The voters of this cluster are static: kraft.version is 0.
            refused(UnsupportedVersionException.class, () -> get(admin.addRaftVoter(9, Uuid.randomUuid(), at).all()));
            refused(UnsupportedVersionException.class,
                () -> get(admin.addRaftVoter(9, Uuid.randomUuid(), at, new AddRaftVoterOptions()).all()));
        });
        checks.put("removeRaftVoter", () -> {
            refused(UnsupportedVersionException.class, () -> get(admin.removeRaftVoter(3, Uuid.randomUuid()).all()));
            refused(UnsupportedVersionException.class,
                () -> get(admin.removeRaftVoter(3, Uuid.randomUuid(), new RemoveRaftVoterOptions()).all()));
        });
        checks.put("describeFeatures", () -> {
            FeatureMetadata features = get(admin.describeFeatures().featureMetadata());
            expect(true, features.finalizedFeatures().keySet().containsAll(Set.of("metadata.version", "transaction.version", "group.version")));
            expect(true, features.supportedFeatures().get("metadata.version").maxVersion()
                >= features.finalizedFeatures().get("metadata.version").maxVersionLevel());
            expect(true, get(admin.describeFeatures(new DescribeFeaturesOptions()).featureMetadata()).finalizedFeaturesEpoch().isPresent());
        });
        checks.put("updateFeatures", () -> {
            short one = 1;
            short two = 2;
            Map<String, FeatureUpdate> down = Map.of("transaction.version", new FeatureUpdate(one, FeatureUpdate.UpgradeType.SAFE_DOWNGRADE));
            get(admin.updateFeatures(down, new UpdateFeaturesOptions().validateOnly(true)).all());
            expect(two, get(admin.describeFeatures().featureMetadata()).finalizedFeatures().get("transaction.version").maxVersionLevel());
            get(admin.updateFeatures(down).all());
            until("level 1", () -> get(admin.describeFeatures().featureMetadata()).finalizedFeatures().get("transaction.version").maxVersionLevel() == 1);
            get(admin.updateFeatures(Map.of("transaction.version", new FeatureUpdate(two, FeatureUpdate.UpgradeType.UPGRADE))).all());
            until("level 2", () -> get(admin.describeFeatures().featureMetadata()).finalizedFeatures().get("transaction.version").maxVersionLevel() == 2);
            refused(InvalidUpdateVersionException.class, () -> get(admin.updateFeatures(
                Map.of("transaction.version", new FeatureUpdate((short) 77, FeatureUpdate.UpgradeType.UPGRADE))).all()));
        });
        checks.put("unregisterBroker", () -> {
            refused(BrokerIdNotRegisteredException.class, () -> get(admin.unregisterBroker(99).all()));
            refused(BrokerIdNotRegisteredException.class, () -> get(admin.unregisterBroker(98, new UnregisterBrokerOptions()).all()));
        });
    }

    // ----------------------------------------------------------------------------------------------------- security

    private void security() {
        AclBinding binding = new AclBinding(new ResourcePattern(ResourceType.TOPIC, "created", PatternType.LITERAL),
            new AccessControlEntry("User:sweep", "*", AclOperation.READ, AclPermissionType.ALLOW));
        AclBinding other = new AclBinding(new ResourcePattern(ResourceType.GROUP, "sw", PatternType.PREFIXED),
            new AccessControlEntry("User:sweep", "10.0.0.1", AclOperation.READ, AclPermissionType.DENY));
        checks.put("createAcls", () -> {
            get(admin.createAcls(List.of(binding)).all());
            get(admin.createAcls(List.of(other), new CreateAclsOptions()).all());
        });
        checks.put("describeAcls", () -> {
            until("both are there", () -> new HashSet<>(get(admin.describeAcls(AclBindingFilter.ANY).values())).equals(Set.of(binding, other)));
            expect(List.of(other), List.copyOf(get(admin.describeAcls(other.toFilter(), new DescribeAclsOptions()).values())));
        });
        checks.put("deleteAcls", () -> {
            expect(List.of(binding), List.copyOf(get(admin.deleteAcls(List.of(binding.toFilter())).all())));
            expect(List.of(other), List.copyOf(get(admin.deleteAcls(List.of(AclBindingFilter.ANY), new DeleteAclsOptions()).all())));
            until("none is left", () -> get(admin.describeAcls(AclBindingFilter.ANY).values()).isEmpty());
        });
        delegationTokens();
        ClientQuotaEntity user = new ClientQuotaEntity(Map.of(ClientQuotaEntity.USER, "sweep"));
        checks.put("alterClientQuotas", () -> {
            List<ClientQuotaAlteration> set =
                List.of(new ClientQuotaAlteration(user, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e6))));
            get(admin.alterClientQuotas(set, new AlterClientQuotasOptions().validateOnly(true)).all());
            expect(Map.of(), get(admin.describeClientQuotas(ClientQuotaFilter.all()).entities()));
            get(admin.alterClientQuotas(set).all());
            refused(InvalidRequestException.class, () -> get(admin.alterClientQuotas(
                List.of(new ClientQuotaAlteration(user, List.of(new ClientQuotaAlteration.Op("absent_rate", 1.0))))).all()));
        });
        checks.put("describeClientQuotas", () -> {
            ClientQuotaFilter users = ClientQuotaFilter.contains(List.of(ClientQuotaFilterComponent.ofEntityType(ClientQuotaEntity.USER)));
            until("the quota is there", () -> get(admin.describeClientQuotas(users).entities())
                .equals(Map.of(user, Map.of("producer_byte_rate", 1e6))));
            ClientQuotaFilter nobody = ClientQuotaFilter.containsOnly(List.of(ClientQuotaFilterComponent.ofEntity(ClientQuotaEntity.USER, "nobody")));
            expect(Map.of(), get(admin.describeClientQuotas(nobody, new DescribeClientQuotasOptions()).entities()));
        });
        ScramCredentialInfo info = new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 8192);
        checks.put("alterUserScramCredentials", () -> {
            get(admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion("sweep", info, "secret"))).all());
            refused(ResourceNotFoundException.class, () -> get(admin.alterUserScramCredentials(
                List.of(new UserScramCredentialDeletion("nobody", ScramMechanism.SCRAM_SHA_256)), new AlterUserScramCredentialsOptions()).all()));
        });
        checks.put("describeUserScramCredentials", () -> {
            until("sweep is there", () -> get(admin.describeUserScramCredentials().all()).containsKey("sweep"));
            expect(List.of(info), get(admin.describeUserScramCredentials(List.of("sweep")).description("sweep")).credentialInfos());
            refused(ResourceNotFoundException.class, () -> get(admin.describeUserScramCredentials(
                List.of("nobody"), new DescribeUserScramCredentialsOptions()).description("nobody")));
        });
    }

    private void delegationTokens() {
        DelegationToken[] tokens = new DelegationToken[2];
        checks.put("createDelegationToken", () -> {
            tokens[0] = get(admin.createDelegationToken().delegationToken());
            tokens[1] = get(admin.createDelegationToken(new CreateDelegationTokenOptions().maxLifetimeMs(600_000)).delegationToken());
            expect("admin", tokens[0].tokenInfo().owner().getName());
            expect(600_000L, tokens[1].tokenInfo().maxTimestamp() - tokens[1].tokenInfo().issueTimestamp());
        });
        checks.put("describeDelegationToken", () -> {
            until("both are there", () -> get(admin.describeDelegationToken().delegationTokens()).size() == 2);
            // Another broker may answer.
            until("both are their owner's", () -> get(admin.describeDelegationToken(
                new DescribeDelegationTokenOptions().owners(List.of(tokens[0].tokenInfo().owner()))).delegationTokens()).size() == 2);
        });
        checks.put("renewDelegationToken", () -> {
            long until = get(admin.renewDelegationToken(tokens[0].hmac()).expiryTimestamp());
            expect(true, until > tokens[0].tokenInfo().issueTimestamp());
            // No renewal outlives the token.
            expect(tokens[1].tokenInfo().maxTimestamp(), get(admin.renewDelegationToken(tokens[1].hmac(),
                new RenewDelegationTokenOptions().renewTimePeriodMs(6_000_000)).expiryTimestamp()));
            refused(DelegationTokenNotFoundException.class, () -> get(admin.renewDelegationToken(new byte[64]).expiryTimestamp()));
        });
        checks.put("expireDelegationToken", () -> {
            get(admin.expireDelegationToken(tokens[0].hmac(), new ExpireDelegationTokenOptions().expiryTimePeriodMs(-1)).expiryTimestamp());
            until("one is left", () -> get(admin.describeDelegationToken().delegationTokens()).size() == 1);
            // Apache Kafka's controller looks into a cache that learns of it later.
            eventuallyRefused(DelegationTokenNotFoundException.class, () -> get(admin.expireDelegationToken(tokens[0].hmac()).expiryTimestamp()));
        });
    }

    // ------------------------------------------------------------------------------------------------------- groups

    private void groups() {
        TopicPartition partition = new TopicPartition("grouped", 0);
        checks.put("describeConsumerGroups", () -> {
            topic("grouped", 10);
            for (String protocol : List.of("classic", "consumer")) {
                try (Consumer<String, String> member = member("described-" + protocol, protocol, partition, Map.of())) {
                    ConsumerGroupDescription described =
                        get(admin.describeConsumerGroups(List.of("described-" + protocol)).all()).get("described-" + protocol);
                    expect(protocol + " " + GroupState.STABLE, described.type().toString().toLowerCase() + " " + described.groupState());
                    expect(Set.of(partition), described.members().iterator().next().assignment().topicPartitions());
                    expect(true, get(admin.describeConsumerGroups(List.of("described-" + protocol),
                        new DescribeConsumerGroupsOptions().includeAuthorizedOperations(true)).all()).get("described-" + protocol)
                        .authorizedOperations().contains(AclOperation.READ));
                }
            }
            refused(GroupIdNotFoundException.class, () -> get(admin.describeConsumerGroups(List.of("absent")).all()));
        });
        checks.put("describeClassicGroups", () -> {
            try (Consumer<String, String> member = member("classic-group", "classic", partition, Map.of())) {
                ClassicGroupDescription described = get(admin.describeClassicGroups(List.of("classic-group")).all()).get("classic-group");
                expect("consumer 1", described.protocol() + " " + described.members().size());
                expect(true, get(admin.describeClassicGroups(List.of("classic-group"),
                    new DescribeClassicGroupsOptions().includeAuthorizedOperations(true)).all()).get("classic-group")
                    .authorizedOperations().contains(AclOperation.DESCRIBE));
            }
        });
        checks.put("listGroups", () -> {
            Set<String> all = get(admin.listGroups().all()).stream().map(GroupListing::groupId).collect(Collectors.toSet());
            expect(true, all.containsAll(Set.of("described-classic", "described-consumer")));
            Set<String> modern = get(admin.listGroups(new ListGroupsOptions().withTypes(Set.of(GroupType.CONSUMER))).all()).stream()
                .map(GroupListing::groupId).collect(Collectors.toSet());
            expect(true, modern.contains("described-consumer") && !modern.contains("described-classic"));
        });
        checks.put("listConsumerGroups", () -> {
            expect(true, get(admin.listConsumerGroups().all()).stream().anyMatch(each -> each.groupId().equals("described-consumer")));
            expect(true, get(admin.listConsumerGroups(new ListConsumerGroupsOptions().inGroupStates(Set.of(GroupState.STABLE))).all()).stream()
                .noneMatch(each -> each.groupId().equals("described-classic")));
        });
        checks.put("listConsumerGroupOffsets", () -> {
            emptyGroup("committed", partition);
            ListConsumerGroupOffsetsOptions stable = new ListConsumerGroupOffsetsOptions().requireStable(true);
            Map<String, ListConsumerGroupOffsetsSpec> spec =
                Map.of("committed", new ListConsumerGroupOffsetsSpec().topicPartitions(List.of(partition)));
            OffsetAndMetadata found = get(admin.listConsumerGroupOffsets("committed").partitionsToOffsetAndMetadata()).get(partition);
            expect("3 three", found.offset() + " " + found.metadata());
            expect(found, get(admin.listConsumerGroupOffsets("committed", stable).partitionsToOffsetAndMetadata()).get(partition));
            expect(found, get(admin.listConsumerGroupOffsets(spec).all()).get("committed").get(partition));
            expect(found, get(admin.listConsumerGroupOffsets(spec, stable).all()).get("committed").get(partition));
        });
        checks.put("alterConsumerGroupOffsets", () -> {
            get(admin.alterConsumerGroupOffsets("committed", Map.of(partition, new OffsetAndMetadata(6))).all());
            get(admin.alterConsumerGroupOffsets("committed", Map.of(partition, new OffsetAndMetadata(7)),
                new AlterConsumerGroupOffsetsOptions()).all());
            expect(7L, get(admin.listConsumerGroupOffsets("committed").partitionsToOffsetAndMetadata()).get(partition).offset());
            try (Consumer<String, String> member = member("busy", "classic", partition, Map.of())) {
                refused(UnknownMemberIdException.class,
                    () -> get(admin.alterConsumerGroupOffsets("busy", Map.of(partition, new OffsetAndMetadata(1))).all()));
            }
        });
        checks.put("deleteConsumerGroupOffsets", () -> {
            get(admin.deleteConsumerGroupOffsets("committed", Set.of(partition)).all());
            expect(Map.of(), get(admin.listConsumerGroupOffsets("committed").partitionsToOffsetAndMetadata()));
            get(admin.deleteConsumerGroupOffsets("busy", Set.of(partition), new DeleteConsumerGroupOffsetsOptions()).all());
            try (Consumer<String, String> member = member("busy", "classic", partition, Map.of())) {
                refused(GroupSubscribedToTopicException.class, () -> get(admin.deleteConsumerGroupOffsets("busy", Set.of(partition)).all()));
            }
        });
        checks.put("removeMembersFromConsumerGroup", () -> {
            Map<String, Object> instance = Map.of("group.instance.id", "one");
            try (Consumer<String, String> member = member("static", "classic", partition, instance)) {
                get(admin.removeMembersFromConsumerGroup("static", new RemoveMembersFromConsumerGroupOptions(
                    List.of(new MemberToRemove("one")))).all());
                expect(0, get(admin.describeConsumerGroups(List.of("static")).all()).get("static").members().size());
            }
        });
        checks.put("deleteConsumerGroups", () -> {
            try (Consumer<String, String> member = member("busy", "classic", partition, Map.of())) {
                refused(GroupNotEmptyException.class, () -> get(admin.deleteConsumerGroups(List.of("busy")).all()));
            }
            get(admin.deleteConsumerGroups(List.of("busy")).all());
            get(admin.deleteConsumerGroups(List.of("described-consumer"), new DeleteConsumerGroupsOptions()).all());
            expect(true, get(admin.listGroups().all()).stream().noneMatch(each -> Set.of("busy", "described-consumer").contains(each.groupId())));
            refused(GroupIdNotFoundException.class, () -> get(admin.deleteConsumerGroups(List.of("busy")).all()));
        });
    }

    private void groupsOfOtherTypes() {
        TopicPartition partition = new TopicPartition("grouped", 0);
        checks.put("describeStreamsGroups", () -> {
            refused(GroupIdNotFoundException.class, () -> get(admin.describeStreamsGroups(List.of("committed")).all()));
            refused(GroupIdNotFoundException.class,
                () -> get(admin.describeStreamsGroups(List.of("absent"), new DescribeStreamsGroupsOptions()).all()));
        });
        checks.put("alterStreamsGroupOffsets", () -> {
            get(admin.alterStreamsGroupOffsets("streamed", Map.of(partition, new OffsetAndMetadata(4))).all());
            get(admin.alterStreamsGroupOffsets("streamed", Map.of(partition, new OffsetAndMetadata(5)), new AlterStreamsGroupOffsetsOptions()).all());
        });
        checks.put("listStreamsGroupOffsets", () -> {
            Map<String, ListStreamsGroupOffsetsSpec> spec = Map.of("streamed", new ListStreamsGroupOffsetsSpec());
            expect(5L, get(admin.listStreamsGroupOffsets(spec).all()).get("streamed").get(partition).offset());
            expect(5L, get(admin.listStreamsGroupOffsets(spec, new ListStreamsGroupOffsetsOptions().requireStable(true)).all())
                .get("streamed").get(partition).offset());
        });
        checks.put("deleteStreamsGroupOffsets", () -> {
            get(admin.deleteStreamsGroupOffsets("streamed", Set.of(partition)).all());
            expect(Map.of(), get(admin.listStreamsGroupOffsets(Map.of("streamed", new ListStreamsGroupOffsetsSpec())).all()).get("streamed"));
            refused(GroupIdNotFoundException.class,
                () -> get(admin.deleteStreamsGroupOffsets("absent", Set.of(partition), new DeleteStreamsGroupOffsetsOptions()).all()));
        });
        checks.put("deleteStreamsGroups", () -> {
            get(admin.alterStreamsGroupOffsets("streamed-too", Map.of(partition, new OffsetAndMetadata(4))).all());
            get(admin.deleteStreamsGroups(List.of("streamed-too")).all());
            refused(GroupIdNotFoundException.class,
                () -> get(admin.deleteStreamsGroups(List.of("streamed-too"), new DeleteStreamsGroupsOptions()).all()));
        });
        checks.put("describeShareGroups", () -> {
            try (KafkaShareConsumer<String, String> member = new KafkaShareConsumer<>(with(Map.of("group.id", "shared")),
                new StringDeserializer(), new StringDeserializer())) {
                member.subscribe(List.of("grouped"));
                until("it has a member with the partition", () -> {
                    member.poll(Duration.ofMillis(200));
                    // Unknown until the first heartbeat has been answered.
                    if (get(admin.listGroups().all()).stream().noneMatch(each -> each.groupId().equals("shared"))) return false;
                    return get(admin.describeShareGroups(List.of("shared")).all()).get("shared").members().stream()
                        .anyMatch(each -> each.assignment().topicPartitions().contains(partition));
                });
                ShareGroupDescription described = get(admin.describeShareGroups(List.of("shared"),
                    new DescribeShareGroupsOptions().includeAuthorizedOperations(true)).all()).get("shared");
                expect(GroupState.STABLE, described.groupState());
                expect(true, described.authorizedOperations().contains(AclOperation.DELETE));
            }
            refused(GroupIdNotFoundException.class, () -> get(admin.describeShareGroups(List.of("absent")).all()));
        });
        checks.put("alterShareGroupOffsets", () -> {
            get(admin.alterShareGroupOffsets("shared", Map.of(partition, 2L)).all());
            get(admin.alterShareGroupOffsets("shared", Map.of(partition, 4L), new AlterShareGroupOffsetsOptions()).all());
        });
        checks.put("listShareGroupOffsets", () -> {
            Map<String, ListShareGroupOffsetsSpec> spec = Map.of("shared", new ListShareGroupOffsetsSpec());
            expect(4L, get(admin.listShareGroupOffsets(spec).all()).get("shared").get(partition).startOffset());
            expect(4L, get(admin.listShareGroupOffsets(spec, new ListShareGroupOffsetsOptions()).all()).get("shared").get(partition).startOffset());
        });
        checks.put("deleteShareGroupOffsets", () -> {
            get(admin.deleteShareGroupOffsets("shared", Set.of("grouped")).all());
            Map<String, ListShareGroupOffsetsSpec> spec = Map.of("shared", new ListShareGroupOffsetsSpec());
            expect(false, get(admin.listShareGroupOffsets(spec).all()).get("shared").containsKey(partition));
            refused(GroupIdNotFoundException.class,
                () -> get(admin.deleteShareGroupOffsets("absent", Set.of("grouped"), new DeleteShareGroupOffsetsOptions()).all()));
        });
        checks.put("deleteShareGroups", () -> {
            get(admin.deleteShareGroups(List.of("shared")).all());
            refused(GroupIdNotFoundException.class, () -> get(admin.deleteShareGroups(List.of("shared"), new DeleteShareGroupsOptions()).all()));
        });
    }

    // ------------------------------------------------------------------------------------------------- transactions

    private void transactions() {
        checks.put("describeProducers", () -> {
            TopicPartition partition = topic("produced", 2);
            try (KafkaProducer<String, String> open = openTransaction("described", partition)) {
                until("the open transaction is seen", () -> get(admin.describeProducers(List.of(partition)).partitionResult(partition))
                    .activeProducers().stream().anyMatch(each -> each.currentTransactionStartOffset().orElse(-1) == 2));
                expect(2, get(admin.describeProducers(List.of(partition), new DescribeProducersOptions()).partitionResult(partition))
                    .activeProducers().size());
                open.commitTransaction();
            }
        });
        checks.put("describeTransactions", () -> {
            TransactionDescription described = get(admin.describeTransactions(List.of("described")).description("described"));
            expect(60_000L, described.transactionTimeoutMs());
            until("it is committed", () -> get(admin.describeTransactions(List.of("described"), new DescribeTransactionsOptions())
                .description("described")).state() == TransactionState.COMPLETE_COMMIT);
            refused(TransactionalIdNotFoundException.class, () -> get(admin.describeTransactions(List.of("absent")).all()));
        });
        checks.put("listTransactions", () -> {
            expect(true, get(admin.listTransactions().all()).stream().anyMatch(each -> each.transactionalId().equals("described")));
            expect(List.of(), List.copyOf(get(admin.listTransactions(
                new ListTransactionsOptions().filterStates(List.of(TransactionState.ONGOING))).all())));
            expect(Set.of("described"), get(admin.listTransactions(new ListTransactionsOptions().filterOnTransactionalIdPattern("descr.*")).all())
                .stream().map(TransactionListing::transactionalId).collect(Collectors.toSet()));
        });
        checks.put("fenceProducers", () -> {
            TopicPartition partition = topic("fenced", 0);
            try (KafkaProducer<String, String> open = openTransaction("fenced", partition)) {
                get(admin.fenceProducers(List.of("fenced")).all());
                FenceProducersResult again = admin.fenceProducers(List.of("fenced"), new FenceProducersOptions());
                expect(true, get(again.epochId("fenced")) > 0);
                boolean fenced = false;
                try {
                    open.commitTransaction();
                } catch (ProducerFencedException | InvalidProducerEpochException expected) {
                    fenced = true;
                }
                expect(true, fenced);
            }
        });
        checks.put("forceTerminateTransaction", () -> {
            TopicPartition partition = topic("terminated", 0);
            for (boolean options : new boolean[] {false, true}) {
                String id = "terminated-" + options;
                try (KafkaProducer<String, String> open = openTransaction(id, partition)) {
                    get((options ? admin.forceTerminateTransaction(id, new TerminateTransactionOptions()) : admin.forceTerminateTransaction(id)).result());
                    // A new producer is initialized under the id, which ends the transaction.
                    expect(TransactionState.EMPTY, get(admin.describeTransactions(List.of(id)).description(id)).state());
                }
            }
        });
        checks.put("abortTransaction", () -> {
            TopicPartition partition = topic("hanging", 0);
            for (boolean options : new boolean[] {false, true}) {
                try (KafkaProducer<String, String> open = openTransaction("hanging-" + options, partition)) {
                    Callable<Optional<ProducerState>> hanging = () -> get(admin.describeProducers(List.of(partition)).partitionResult(partition))
                        .activeProducers().stream().filter(each -> each.currentTransactionStartOffset().isPresent()).findFirst();
                    until("it hangs", () -> hanging.call().isPresent());
                    ProducerState state = hanging.call().get();
                    AbortTransactionSpec spec = new AbortTransactionSpec(partition, state.producerId(), (short) state.producerEpoch(),
                        Math.max(0, state.coordinatorEpoch().orElse(0)));
                    get((options ? admin.abortTransaction(spec, new AbortTransactionOptions()) : admin.abortTransaction(spec)).all());
                    until("it is gone", () -> hanging.call().isEmpty());
                }
            }
        });
    }

    // ------------------------------------------------------------------------------------------------------- client

    private void client() {
        checks.put("metrics", () -> expect(true, admin.metrics().keySet().stream().anyMatch(each -> each.name().equals("connection-count"))));
        checks.put("registerMetricForSubscription", () -> admin.registerMetricForSubscription(metric()));
        checks.put("unregisterMetricFromSubscription", () -> admin.unregisterMetricFromSubscription(metric()));
        checks.put("clientInstanceId", () -> {
            Uuid id = admin.clientInstanceId(Duration.ofSeconds(60));
            if (id == null) throw new UnsupportedVersionException("no broker takes telemetry");
            expect(false, id.equals(Uuid.ZERO_UUID));
            expect(id, admin.clientInstanceId(Duration.ofSeconds(60)));
        });
        checks.put("close", () -> {
            Admin first = watched(Admin.create(settings));
            get(first.describeCluster().clusterId());
            first.close();
            refused(IllegalStateException.class, () -> get(first.describeCluster().clusterId()));
            admin.close(Duration.ofSeconds(10));
        });
    }

    private KafkaMetric metric() {
        return (KafkaMetric) admin.metrics().values().iterator().next();
    }
}
