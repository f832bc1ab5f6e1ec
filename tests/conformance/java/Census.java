import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.security.token.delegation.DelegationToken;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * All that a cluster has, as facts: a name and a value each, so that two clusters can be compared fact by fact. What moves by itself (leaders,
 * in-sync sets, coordinators, times of group membership) is left out. The first word of a name is its kind.
 */
final class Census {
    private final Admin admin;
    private final Admin tokenOwner;
    private final Map<String, Object> clientSettings;
    private final SortedMap<String, String> facts = new TreeMap<>();

    /** @param tokenOwner  delegation tokens are shown on authenticated connections only; null: leave them out */
    private Census(Admin admin, Admin tokenOwner, Map<String, Object> clientSettings) {
        this.admin = admin;
        this.tokenOwner = tokenOwner;
        this.clientSettings = clientSettings;
    }

    static SortedMap<String, String> take(Admin admin, Admin tokenOwner, Map<String, Object> clientSettings) throws Exception {
        Census census = new Census(admin, tokenOwner, clientSettings);
        census.features();
        census.settings();
        census.security();
        census.groups();
        census.transactions();
        census.topics();
        return census.facts;
    }

    private void features() throws Exception {
        admin.describeFeatures().featureMetadata().get().finalizedFeatures().forEach((name, range) -> {
            // Level 0 is not a record: who knows the feature shows it, who does not leaves it out.
            if (range.maxVersionLevel() > 0) facts.put("feature " + name, String.valueOf(range.maxVersionLevel()));
        });
    }

    private void settings() throws Exception {
        List<ConfigResource> resources = new ArrayList<>(admin.listConfigResources().all().get());
        resources.add(new ConfigResource(ConfigResource.Type.BROKER, ""));
        for (Map.Entry<ConfigResource, Config> each : admin.describeConfigs(distinct(resources)).all().get().entrySet()) {
            for (ConfigEntry entry : each.getValue().entries()) {
                boolean inherited = entry.source() == ConfigEntry.ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG && !each.getKey().name().isEmpty();
                if (!entry.source().name().startsWith("DYNAMIC") || inherited) continue;
                facts.put("config " + each.getKey().type() + " '" + each.getKey().name() + "' " + entry.name(), entry.value());
            }
        }
    }

    /** Each once: a broker may be listed beside its own settings. */
    private static Collection<ConfigResource> distinct(Collection<ConfigResource> all) {
        TreeMap<String, ConfigResource> byName = new TreeMap<>();
        for (ConfigResource each : all) if (each.type() != ConfigResource.Type.BROKER_LOGGER) byName.put(each.toString(), each);
        return byName.values();
    }

    private void security() throws Exception {
        for (AclBinding each : admin.describeAcls(AclBindingFilter.ANY).values().get()) facts.put("acl " + each, "");
        for (Map.Entry<ClientQuotaEntity, Map<String, Double>> each : admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get().entrySet())
            each.getValue().forEach((key, value) -> facts.put("quota " + new TreeMap<>(each.getKey().entries()) + " " + key, String.valueOf(value)));
        admin.describeUserScramCredentials().all().get().forEach((user, description) -> {
            for (ScramCredentialInfo info : description.credentialInfos())
                facts.put("scram " + user + " " + info.mechanism(), info.iterations() + " iterations");
        });
        if (tokenOwner == null) return;
        for (DelegationToken each : tokenOwner.describeDelegationToken().delegationTokens().get()) {
            facts.put("token " + each.tokenInfo().tokenId(), each.tokenInfo().owner() + " " + each.tokenInfo().renewers() + " "
                + each.tokenInfo().expiryTimestamp() + " " + each.tokenInfo().maxTimestamp() + " " + HexFormat.of().formatHex(each.hmac()));
        }
    }

    private void groups() throws Exception {
        for (GroupListing group : admin.listGroups().all().get()) {
            String id = group.groupId();
            facts.put("group " + id, group.type().map(GroupType::toString).orElse("?") + " '" + group.protocol() + "'");
            if (group.type().orElse(GroupType.UNKNOWN) == GroupType.SHARE) {
                admin.listShareGroupOffsets(Map.of(id, new ListShareGroupOffsetsSpec())).all().get().get(id)
                    .forEach((partition, info) -> facts.put("share " + id + " " + partition, String.valueOf(info.startOffset())));
            } else {
                admin.listConsumerGroupOffsets(id).partitionsToOffsetAndMetadata().get().forEach((partition, committed) -> {
                    if (committed != null)
                        facts.put("offset " + id + " " + partition, committed.offset() + " '" + committed.metadata() + "' " + committed.leaderEpoch());
                });
            }
        }
    }

    private void transactions() throws Exception {
        Set<String> ids = new TreeSet<>();
        for (TransactionListing each : admin.listTransactions().all().get()) ids.add(each.transactionalId());
        for (Map.Entry<String, TransactionDescription> each : admin.describeTransactions(ids).all().get().entrySet()) {
            TransactionDescription is = each.getValue();
            Set<String> partitions = new TreeSet<>();
            for (TopicPartition partition : is.topicPartitions()) partitions.add(partition.toString());
            facts.put("transaction " + each.getKey(), is.state() + " producer " + is.producerId() + " epoch " + is.producerEpoch() + " timeout "
                + is.transactionTimeoutMs() + " since " + is.transactionStartTimeMs() + " in " + partitions);
        }
    }

    private void topics() throws Exception {
        Set<String> names = admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get();
        List<TopicPartition> partitions = new ArrayList<>();
        for (TopicDescription topic : admin.describeTopics(names).allTopicNames().get().values()) {
            facts.put("topic " + topic.name(), topic.topicId() + " internal=" + topic.isInternal());
            for (TopicPartitionInfo info : topic.partitions()) {
                List<Integer> replicas = new ArrayList<>();
                for (Node replica : info.replicas()) replicas.add(replica.id());
                facts.put("partition " + topic.name() + "-" + info.partition(), "on " + replicas);
                if (!topic.isInternal()) partitions.add(new TopicPartition(topic.name(), info.partition()));
            }
        }
        admin.describeProducers(partitions).all().get().forEach((partition, state) -> {
            for (ProducerState each : state.activeProducers())
                facts.put("producer " + partition + " " + each.producerId(), "epoch " + each.producerEpoch() + " sequence " + each.lastSequence()
                    + " at " + each.lastTimestamp() + " open since " + each.currentTransactionStartOffset());
        });
        Set<String> compacted = new TreeSet<>();
        for (String fact : facts.keySet()) {
            String[] words = fact.split(" ");
            if (words.length == 4 && words[1].equals("TOPIC") && words[3].equals("cleanup.policy") && facts.get(fact).contains("compact"))
                compacted.add(words[2].replace("'", ""));
        }
        read(partitions, compacted, "read_uncommitted", "records");
        read(partitions, compacted, "read_committed", "committed");
    }

    /** One reading of everything: where each log begins and ends, how many records it has, and a digest of all that is in them. */
    private void read(List<TopicPartition> partitions, Set<String> compacted, String isolation, String kind) throws Exception {
        Map<String, Object> settings = new HashMap<>(clientSettings);
        settings.put("isolation.level", isolation);
        settings.put("enable.auto.commit", "false");
        settings.put("check.crcs", "true");
        settings.put("max.poll.records", "5000");
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            Map<TopicPartition, Long> starts = consumer.beginningOffsets(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            Map<TopicPartition, MessageDigest> digests = new HashMap<>();
            Map<TopicPartition, Long> counts = new HashMap<>();
            Map<TopicPartition, TreeMap<String, String>> latest = new HashMap<>();
            for (TopicPartition each : partitions) {
                digests.put(each, MessageDigest.getInstance("SHA-256"));
                counts.put(each, 0L);
                latest.put(each, new TreeMap<>());
            }
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Set<TopicPartition> open = new HashSet<>(partitions);
            long deadline = System.currentTimeMillis() + 120_000;
            while (true) {
                open.removeIf(each -> consumer.position(each) >= ends.get(each));
                if (open.isEmpty()) break;
                if (System.currentTimeMillis() > deadline) throw new IllegalStateException("not read to the end: " + open);
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    TopicPartition at = new TopicPartition(record.topic(), record.partition());
                    counts.merge(at, 1L, Long::sum);
                    digests.get(at).update(bytesOf(record));
                    if (compacted.contains(record.topic())) latest.get(at).put(HexFormat.of().formatHex(record.key()), record.offset() + ":" + digestOf(bytesOf(record)));
                }
            }
            for (TopicPartition each : partitions) {
                String ending = " of " + starts.get(each) + " to " + ends.get(each);
                // What compaction leaves of it is the last record of each key; the rest may go at any time.
                if (compacted.contains(each.topic())) {
                    facts.put("left " + each, String.valueOf(counts.get(each)));
                    facts.put(kind + " " + each, latest.get(each).size() + " keys " + digestOf(latest.get(each).toString().getBytes(StandardCharsets.UTF_8)) + " to " + ends.get(each));
                } else facts.put(kind + " " + each, counts.get(each) + " " + HexFormat.of().formatHex(digests.get(each).digest()) + ending);
            }
        }
    }

    private static String digestOf(byte[] bytes) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    /** Offset, kind and value of the timestamp, key, value and headers, each with its length, or -1 for null. */
    private static byte[] bytesOf(ConsumerRecord<byte[], byte[]> record) {
        int size = 8 + 4 + 8 + 8 + 4;
        size += lengthOf(record.key()) + lengthOf(record.value());
        for (Header header : record.headers()) size += 8 + header.key().getBytes(StandardCharsets.UTF_8).length + lengthOf(header.value());
        ByteBuffer buffer = ByteBuffer.allocate(size);
        buffer.putLong(record.offset()).putInt(record.timestampType().id).putLong(record.timestamp());
        put(buffer, record.key());
        put(buffer, record.value());
        buffer.putInt(record.headers().toArray().length);
        for (Header header : record.headers()) {
            put(buffer, header.key().getBytes(StandardCharsets.UTF_8));
            put(buffer, header.value());
        }
        return buffer.array();
    }

    private static int lengthOf(byte[] bytes) {
        return bytes == null ? 0 : bytes.length;
    }

    private static void put(ByteBuffer buffer, byte[] bytes) {
        buffer.putInt(bytes == null ? -1 : bytes.length);
        if (bytes != null) buffer.put(bytes);
    }
}
