package conformance

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Releases that brought versions of these APIs, as franz-go knows them. Brokers of 4.x promise to serve clients of 2.1 and later (KIP-896), and have
// the versions with which older ones write and read since 0.11.
var releases = map[string]*kversion.Versions{
	"0.11": kversion.V0_11_0(), "1.0": kversion.V1_0_0(), "1.1": kversion.V1_1_0(), "2.0": kversion.V2_0_0(),
	"2.1": kversion.V2_1_0(), "2.2": kversion.V2_2_0(), "2.3": kversion.V2_3_0(), "2.4": kversion.V2_4_0(),
	"2.5": kversion.V2_5_0(), "2.6": kversion.V2_6_0(), "2.7": kversion.V2_7_0(), "2.8": kversion.V2_8_0(),
	"3.0": kversion.V3_0_0(), "3.1": kversion.V3_1_0(), "3.2": kversion.V3_2_0(), "3.3": kversion.V3_3_0(),
	"3.5": kversion.V3_5_0(), "3.7": kversion.V3_7_0(), "3.8": kversion.V3_8_0(), "3.9": kversion.V3_9_0(),
	"4.0": kversion.V4_0_0(), "4.1": kversion.V4_1_0(), "4.2": kversion.V4_2_0(), "4.3": kversion.V4_3_0(),
}

// TestReleases speaks as to brokers of one release after another: a client that knows what its versions lack, and is used to it from old brokers.
func TestReleases(t *testing.T) {
	for release, versions := range releases {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			use(t, "release-"+release, versions)
		})
	}
}

func use(t *testing.T, name string, versions *kversion.Versions) {
	limit := kgo.MaxVersions(versions)
	// Before 2.1, some of these APIs had no version that is served still.
	if epochs, _ := versions.LookupMaxKeyVersion(int16(kmsg.OffsetForLeaderEpoch)); epochs >= 2 {
		t.Run("admin", func(t *testing.T) { administer(t, name+"-admin", versions) })
	}
	t.Run("group", func(t *testing.T) { consume(t, name+"-group", versions) })
	t.Run("transaction", func(t *testing.T) { transact(t, name+"-transaction", limit) })
}

func ask[R kmsg.Response](t *testing.T, ctx context.Context, cl *kgo.Client, request kmsg.Request) R {
	t.Helper()
	response, err := cl.Request(ctx, request)
	must(t, err)
	return response.(R)
}

func administer(t *testing.T, name string, versions *kversion.Versions) {
	cl, adm, ctx := clients(t, kgo.MaxVersions(versions), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	topic(t, adm, ctx, name)
	examine(t, cl, adm, ctx, name)
	added, err := adm.CreatePartitions(ctx, 1, name)
	must(t, err)
	must(t, added[name].Err)
	eventually(t, ctx, "partitions", func() (bool, any) {
		listed, err := adm.ListTopics(ctx, name)
		must(t, err)
		return len(listed[name].Partitions) == 3, listed
	})

	setting := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: p("12345")}}
	if versions.HasKey(int16(kmsg.IncrementalAlterConfigs)) {
		altered, err := adm.AlterTopicConfigs(ctx, setting, name)
		must(t, err)
		must(t, altered[0].Err)
	}
	whole, err := adm.AlterTopicConfigsState(ctx, setting, name)
	must(t, err)
	must(t, whole[0].Err)
	described, err := adm.DescribeTopicConfigs(ctx, name)
	must(t, err)
	must(t, described[0].Err)

	if versions.HasKey(int16(kmsg.AlterPartitionAssignments)) {
		move(t, adm, ctx, name)
	}
	if versions.HasKey(int16(kmsg.AlterClientQuotas)) {
		limitUser(t, adm, ctx, name)
	}
	permit(t, adm, ctx, name)
	if versions.HasKey(int16(kmsg.UpdateFeatures)) {
		_, err = adm.UpdateFeatures(ctx, true, kadm.FeatureUpdate{Feature: "group.version", MaxVersionLevel: 1, UpgradeType: 1})
		must(t, err)
	}
	if versions.HasKey(int16(kmsg.ListTransactions)) {
		_, err = adm.ListTransactions(ctx, nil, nil)
		must(t, err)
	}
	if versions.HasKey(int16(kmsg.ListConfigResources)) {
		_, err = adm.ListConfigResources(ctx)
		must(t, err)
	}
	if versions.HasKey(int16(kmsg.DescribeCluster)) {
		cluster := ask[*kmsg.DescribeClusterResponse](t, ctx, cl, kmsg.NewPtrDescribeClusterRequest())
		check(t, len(cluster.Brokers) == 3, "brokers", cluster)
	}
	if versions.HasKey(int16(kmsg.DescribeQuorum)) {
		quorum := kmsg.NewPtrDescribeQuorumRequest()
		log := kmsg.NewDescribeQuorumRequestTopic()
		log.Topic = "__cluster_metadata"
		log.Partitions = []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 0}}
		quorum.Topics = append(quorum.Topics, log)
		voters := ask[*kmsg.DescribeQuorumResponse](t, ctx, cl, quorum).Topics[0].Partitions[0].CurrentVoters
		check(t, len(voters) == 3, "voters", voters)
	}
}

func move(t *testing.T, adm *kadm.Client, ctx context.Context, name string) {
	elect(t, adm, ctx, name)
	reassign(t, adm, ctx, name, []int32{3, 2, 1})
	_, err := adm.ListPartitionReassignments(ctx, nil)
	must(t, err)
}

func permit(t *testing.T, adm *kadm.Client, ctx context.Context, name string) {
	acl := kadm.NewACLs().Topics(name).Allow("User:" + name).AllowHosts().Operations(kadm.OpRead)
	acl.ResourcePatternType(kadm.ACLPatternLiteral)
	created, err := adm.CreateACLs(ctx, acl)
	must(t, err)
	must(t, created[0].Err)
	filter := kadm.NewACLs().Topics(name).Allow("User:" + name).AllowHosts().Operations(kadm.OpAny)
	filter.ResourcePatternType(kadm.ACLPatternLiteral)
	eventually(t, ctx, "an access control entry", func() (bool, any) {
		entries, err := adm.DescribeACLs(ctx, filter)
		must(t, err)
		return len(entries[0].Described) == 1, entries
	})
	removed, err := adm.DeleteACLs(ctx, filter)
	must(t, err)
	must(t, removed[0].Err)
}

func consume(t *testing.T, name string, versions *kversion.Versions) {
	limit := kgo.MaxVersions(versions)
	cl, adm, ctx := clients(t, limit)
	topic(t, adm, ctx, name)
	write(t, cl, ctx, name, "a", "b")
	member := join(t, name, name, limit)
	beat := kmsg.NewPtrHeartbeatRequest()
	beat.Group = name
	beat.MemberID, beat.Generation = member.GroupMetadata()
	must(t, kerr.ErrorForCode(ask[*kmsg.HeartbeatResponse](t, ctx, cl, beat).ErrorCode))
	must(t, member.LeaveGroupContext(ctx))
	offsets, err := adm.FetchOffsets(ctx, name)
	must(t, err)
	total := int64(0)
	for _, partition := range offsets[name] {
		total += max(0, partition.At)
	}
	check(t, total == 2, "committed offsets", offsets)
	checkListed(t, adm, ctx, name)
	if versions.HasKey(int16(kmsg.DeleteGroups)) {
		removed, err := adm.DeleteGroup(ctx, name)
		must(t, err)
		must(t, removed.Err)
	}
}

// From one topic to another, exactly once.
func transact(t *testing.T, name string, limit kgo.Opt) {
	cl, adm, ctx := clients(t, limit)
	from, to := topic(t, adm, ctx, name+"-from"), topic(t, adm, ctx, name+"-to")
	write(t, cl, ctx, from, "a", "b")
	session, err := kgo.NewGroupTransactSession(seeds(), limit, kgo.TransactionalID(name), kgo.ConsumerGroup(name),
		kgo.ConsumeTopics(from), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	must(t, err)
	defer session.Close()
	for moved := 0; moved < 2; {
		fetches := session.PollFetches(ctx)
		must(t, fetches.Err0())
		must(t, session.Begin())
		fetches.EachRecord(func(record *kgo.Record) {
			session.Produce(ctx, &kgo.Record{Topic: to, Value: record.Value}, nil)
			moved++
		})
		committed, err := session.End(ctx, kgo.TryCommit)
		must(t, err)
		check(t, committed, "committed", moved)
	}
	reader, _, _ := clients(t, limit, kgo.ConsumeTopics(to), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	read(t, ctx, reader, 2)
}
