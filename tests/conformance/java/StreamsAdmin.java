import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeStreamsGroupsOptions;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.ListStreamsGroupOffsetsSpec;
import org.apache.kafka.clients.admin.StreamsGroupDescription;
import org.apache.kafka.clients.admin.StreamsGroupMemberAssignment.TaskIds;
import org.apache.kafka.clients.admin.StreamsGroupMemberDescription;
import org.apache.kafka.clients.admin.StreamsGroupSubtopologyDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.GroupSubscribedToTopicException;

/**
 * What Admin says of a streams group that counts words (Words.java) and does with it. Arguments: bootstrap servers, group, `live` or
 * `empty`. Live: every active task once, every stateful task with its standby in another process, and nothing that would harm the
 * members is allowed. Empty: offsets are listed, altered and deleted. Says "passed".
 */
public final class StreamsAdmin {
    private static Admin admin;
    private static String group;

    private StreamsAdmin() {
    }

    public static void main(String[] arguments) throws Exception {
        group = arguments[1];
        try (Admin opened = Admin.create(Map.of("bootstrap.servers", arguments[0]))) {
            admin = opened;
            if (arguments[2].equals("live")) live();
            else empty();
        }
        System.out.println("passed");
    }

    private static void check(boolean holds, Object what) {
        if (!holds) throw new AssertionError(what);
    }

    private static StreamsGroupDescription describe() throws Exception {
        DescribeStreamsGroupsOptions options = new DescribeStreamsGroupsOptions().includeAuthorizedOperations(true);
        return admin.describeStreamsGroups(List.of(group), options).all().get().get(group);
    }

    private static Map<TopicPartition, OffsetAndMetadata> offsets() throws Exception {
        return new HashMap<>(admin.listStreamsGroupOffsets(Map.of(group, new ListStreamsGroupOffsetsSpec())).partitionsToOffsetAndMetadata(group).get());
    }

    private static Throwable refusal(org.apache.kafka.common.KafkaFuture<?> future) throws InterruptedException {
        try {
            Object value = future.get();
            throw new AssertionError("a refusal was expected, not " + value);
        } catch (ExecutionException error) {
            return error.getCause();
        }
    }

    private static Map<String, String> holders(StreamsGroupDescription described, boolean active) {
        Map<String, String> holders = new TreeMap<>();
        for (StreamsGroupMemberDescription member : described.members()) {
            Collection<TaskIds> tasks = active ? member.assignment().activeTasks() : member.assignment().standbyTasks();
            for (TaskIds each : tasks)
                for (int partition : each.partitions()) {
                    String before = holders.put(each.subtopologyId() + "_" + partition, member.processId());
                    check(before == null, each + " is held twice: " + described);
                }
        }
        return holders;
    }

    private static void live() throws Exception {
        StreamsGroupDescription described = describe();
        check(described.groupState() == GroupState.STABLE, described);
        check(described.groupEpoch() == described.targetAssignmentEpoch() && described.topologyEpoch() == 0, described);
        check(described.authorizedOperations().equals(Set.of(AclOperation.READ, AclOperation.DESCRIBE, AclOperation.DELETE,
            AclOperation.DESCRIBE_CONFIGS, AclOperation.ALTER_CONFIGS)), described.authorizedOperations());
        check(described.subtopologies().size() == 2, described);
        int stateful = 0;
        for (StreamsGroupSubtopologyDescription each : described.subtopologies()) stateful += each.stateChangelogTopics().size();
        check(stateful == 1, described);
        for (StreamsGroupMemberDescription member : described.members()) {
            check(member.memberEpoch() == described.groupEpoch() && member.topologyEpoch() == 0 && !member.isClassic(), member);
            check(member.userEndpoint().isPresent() && !member.processId().isEmpty() && member.instanceId().isEmpty(), member);
            check(member.assignment().equals(member.targetAssignment()), member);
            check(member.assignment().warmupTasks().isEmpty() && member.taskOffsets().isEmpty(), member);
        }
        Map<String, String> active = holders(described, true);
        Map<String, String> standby = holders(described, false);
        check(active.size() == 8, active);
        check(standby.size() == 4, standby);
        standby.forEach((task, process) -> check(!active.get(task).equals(process), task + " is twice in one process: " + described));
        List<GroupListing> listed = List.copyOf(admin.listGroups(ListGroupsOptions.forStreamsGroups()).valid().get());
        check(listed.size() == 1 && listed.get(0).groupId().equals(group) && listed.get(0).type().equals(java.util.Optional.of(GroupType.STREAMS)), listed);
        check(refusal(admin.deleteStreamsGroups(List.of(group)).all()) instanceof GroupNotEmptyException, "a group with members was deleted");
        Set<TopicPartition> words = Set.of(new TopicPartition("words", 0));
        Throwable refused = refusal(admin.deleteStreamsGroupOffsets(group, words).all());
        check(refused instanceof GroupSubscribedToTopicException, refused);
        check(refusal(admin.describeStreamsGroups(List.of("nobody")).all()) instanceof GroupIdNotFoundException, "a group that is not there was described");
    }

    private static void empty() throws Exception {
        StreamsGroupDescription described = describe();
        check(described.groupState() == GroupState.EMPTY && described.members().isEmpty(), described);
        Map<TopicPartition, OffsetAndMetadata> offsets = offsets();
        Set<String> topics = new HashSet<>();
        offsets.keySet().forEach(each -> topics.add(each.topic()));
        check(topics.equals(Set.of("words", group + "-again-repartition")), offsets);
        List<TopicPartition> known = offsets.keySet().stream().filter(each -> each.topic().equals("words")).toList();
        TopicPartition altered = known.get(0);
        admin.alterStreamsGroupOffsets(group, Map.of(altered, new OffsetAndMetadata(1))).all().get();
        check(offsets().get(altered).offset() == 1, offsets());
        admin.deleteStreamsGroupOffsets(group, Set.of(altered)).all().get();
        OffsetAndMetadata before = offsets.remove(altered);
        check(offsets().equals(offsets), offsets());
        admin.alterStreamsGroupOffsets(group, Map.of(altered, before)).all().get();
    }
}
