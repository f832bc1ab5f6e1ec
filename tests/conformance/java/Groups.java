import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Kafka's own consumers in groups of both protocols. Arguments: bootstrap servers, scenario. Exit code 0: all as on Apache Kafka. */
public class Groups {
    static String bootstrap;
    static Admin admin;

    /** A consumer on a thread of its own, as consumers must be. */
    static class Member extends Thread {
        final KafkaConsumer<String, String> consumer;
        final List<String> values = new ArrayList<>();
        volatile Set<TopicPartition> assigned = Set.of();
        volatile boolean stop = false;
        volatile Exception failure = null;

        Member(String group, String protocol, Map<String, String> more, java.util.function.Consumer<KafkaConsumer<String, String>> subscribe) {
            Properties settings = new Properties();
            settings.put("bootstrap.servers", bootstrap);
            settings.put("group.id", group);
            settings.put("group.protocol", protocol);
            settings.put("auto.offset.reset", "earliest");
            settings.put("enable.auto.commit", "false");
            settings.putAll(more);
            consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
            subscribe.accept(consumer);
            start();
        }

        @Override public void run() {
            try {
                while (!stop) {
                    for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100)))
                        synchronized (values) { values.add(record.value()); }
                    assigned = new HashSet<>(consumer.assignment());
                    if (!assigned.isEmpty()) {
                        try { consumer.commitSync(); }
                        catch (org.apache.kafka.clients.consumer.CommitFailedException | org.apache.kafka.common.errors.RebalanceInProgressException expected) { }
                    }
                }
            } catch (Exception error) {
                failure = error;
                error.printStackTrace();
            } finally {
                consumer.close(org.apache.kafka.clients.consumer.CloseOptions.timeout(Duration.ofSeconds(10)));
                assigned = Set.of();
            }
        }

        void end() throws Exception { stop = true; join(); }
    }

    static void until(String what, BooleanSupplier condition) throws Exception {
        long deadline = System.currentTimeMillis() + 120_000;
        while (!condition.getAsBoolean()) {
            if (System.currentTimeMillis() > deadline) throw new AssertionError("in vain: " + what);
            Thread.sleep(50);
        }
    }

    static Set<TopicPartition> union(Member... members) {
        Set<TopicPartition> all = new HashSet<>();
        for (Member member : members) all.addAll(member.assigned);
        return all;
    }

    static boolean disjoint(Member... members) {
        return union(members).size() == Arrays.stream(members).mapToInt(m -> m.assigned.size()).sum();
    }

    static ConsumerGroupDescription describe(String group) throws Exception {
        return admin.describeConsumerGroups(List.of(group)).all().get().get(group);
    }

    static void produce(String topic, int from, int to) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            for (int i = from; i < to; i++) producer.send(new ProducerRecord<>(topic, i % 6, null, "v" + i));
        }
    }

    static void create(String topic, int partitions) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, Optional.of(partitions), Optional.empty()))).all().get();
    }

    static void consumer() throws Exception {
        create("modern", 6);
        produce("modern", 0, 60);
        Member one = new Member("modern-group", "consumer", Map.of(), c -> c.subscribe(List.of("modern")));
        until("all partitions for the first", () -> one.assigned.size() == 6);
        Member two = new Member("modern-group", "consumer", Map.of(), c -> c.subscribe(List.of("modern")));
        until("half for each", () -> one.assigned.size() == 3 && two.assigned.size() == 3 && disjoint(one, two));
        until("the group is stable", () -> { try { return describe("modern-group").groupState() == GroupState.STABLE; } catch (Exception e) { throw new RuntimeException(e); } });
        ConsumerGroupDescription description = describe("modern-group");
        check(description.type() == GroupType.CONSUMER, "type " + description.type());
        check(description.members().size() == 2, "members " + description.members());
        check("uniform".equals(description.partitionAssignor()), "assignor " + description.partitionAssignor());
        until("all records once", () -> read(one).size() + read(two).size() == 60);
        Set<String> all = new TreeSet<>(read(one)); all.addAll(read(two));
        check(all.size() == 60, "records twice");
        admin.createPartitions(Map.of("modern", NewPartitions.increaseTo(8))).all().get();
        until("new partitions are assigned", () -> union(one, two).size() == 8 && disjoint(one, two));
        two.end();
        until("all for the one that is left", () -> one.assigned.size() == 8);
        one.end();
        until("committed", () -> committed("modern-group") == 60);
        check(admin.listGroups(ListGroupsOptions.forConsumerGroups()).all().get().stream().anyMatch(g -> g.groupId().equals("modern-group")), "listed");
        Member three = new Member("modern-group", "consumer", Map.of("group.remote.assignor", "range"), c -> c.subscribe(List.of("modern")));
        until("range", () -> three.assigned.size() == 8);
        check("range".equals(describe("modern-group").partitionAssignor()), "assignor");
        three.end();
        check(read(three).isEmpty(), "read again: " + read(three));
        check(one.failure == null && two.failure == null && three.failure == null, "a consumer failed");
        admin.deleteConsumerGroups(List.of("modern-group")).all().get();
    }

    static void pattern() throws Exception {
        create("pat-1", 2);
        Member one = new Member("pattern-group", "consumer", Map.of("metadata.max.age.ms", "1000"), c -> c.subscribe(new SubscriptionPattern("pat-.*")));
        until("the first topic", () -> one.assigned.size() == 2);
        create("pat-2", 3);
        until("the second topic", () -> one.assigned.size() == 5);
        one.end();
        check(one.failure == null, "failed");
    }

    static void fixed() throws Exception {
        create("fixed", 4);
        Map<String, String> i1 = Map.of("group.instance.id", "i1"), i2 = Map.of("group.instance.id", "i2");
        Member one = new Member("static-group", "consumer", i1, c -> c.subscribe(List.of("fixed")));
        Member two = new Member("static-group", "consumer", i2, c -> c.subscribe(List.of("fixed")));
        until("two each", () -> one.assigned.size() == 2 && two.assigned.size() == 2 && disjoint(one, two));
        Set<TopicPartition> had = two.assigned;
        two.end();
        Member again = new Member("static-group", "consumer", i2, c -> c.subscribe(List.of("fixed")));
        until("the same as before", () -> again.assigned.equals(had));
        check(one.assigned.size() == 2, "the other one was disturbed");
        one.end();
        again.end();
    }

    /** A classic group takes in a consumer of the new protocol, all others follow; then back again. Nobody reads twice what was committed. */
    static void migrate() throws Exception {
        create("moving", 6);
        produce("moving", 0, 60);
        Map<String, String> coop = Map.of("partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor", "session.timeout.ms", "60000", "heartbeat.interval.ms", "500");
        Member a = new Member("moving-group", "classic", coop, c -> c.subscribe(List.of("moving")));
        Member b = new Member("moving-group", "classic", coop, c -> c.subscribe(List.of("moving")));
        until("classic", () -> a.assigned.size() == 3 && b.assigned.size() == 3 && disjoint(a, b));
        check(describe("moving-group").type() == GroupType.CLASSIC, "type");
        Member c = new Member("moving-group", "consumer", Map.of(), x -> x.subscribe(List.of("moving")));
        until("upgraded", () -> a.assigned.size() == 2 && b.assigned.size() == 2 && c.assigned.size() == 2 && disjoint(a, b, c));
        check(describe("moving-group").type() == GroupType.CONSUMER, "type after the upgrade");
        a.end();
        b.end();
        until("all for the new one", () -> c.assigned.size() == 6);
        produce("moving", 60, 120);
        Member d = new Member("moving-group", "classic", coop, x -> x.subscribe(List.of("moving")));
        until("a classic member joined", () -> c.assigned.size() == 3 && d.assigned.size() == 3 && disjoint(c, d));
        c.end();
        until("downgraded", () -> d.assigned.size() == 6);
        check(describe("moving-group").type() == GroupType.CLASSIC, "type after the downgrade");
        until("all committed", () -> committed("moving-group") == 120);
        d.end();
        List<String> all = new ArrayList<>();
        for (Member member : List.of(a, b, c, d)) { all.addAll(read(member)); check(member.failure == null, "failed"); }
        check(new HashSet<>(all).size() == 120, "lost some: " + new HashSet<>(all).size());
    }

    static List<String> read(Member member) {
        synchronized (member.values) { return new ArrayList<>(member.values); }
    }

    static long committed(String group) {
        try {
            return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().values().stream().mapToLong(o -> o == null ? 0 : o.offset()).sum();
        } catch (Exception error) { throw new RuntimeException(error); }
    }

    static void check(boolean fact, String what) {
        if (!fact) throw new AssertionError(what);
    }

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        admin = Admin.create(settings);
        switch (arguments[1]) {
            case "consumer" -> consumer();
            case "pattern" -> pattern();
            case "static" -> fixed();
            case "migrate" -> migrate();
            default -> throw new IllegalArgumentException(arguments[1]);
        }
        System.out.println("passed " + arguments[1]);
        System.exit(0);
    }
}
