package conformance

import (
	"context"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Calls whose answers are the same whatever the release that the client takes the broker for.

// examine writes three records to partition 0 of a topic, deletes two of them, and looks at what is told of the partition.
func examine(t *testing.T, cl *kgo.Client, adm *kadm.Client, ctx context.Context, name string) {
	t.Helper()
	write(t, cl, ctx, name, "a", "b", "c")
	ends, err := adm.ListEndOffsets(ctx, name)
	must(t, err)
	end, _ := ends.Lookup(name, 0)
	check(t, end.Offset == 3, "end offset", end)
	deleted, err := adm.DeleteRecords(ctx, kadm.Offsets{name: {0: {Topic: name, Partition: 0, At: 2}}})
	must(t, err)
	must(t, deleted.Error())
	var request kadm.OffsetForLeaderEpochRequest
	request.Add(name, 0, 0)
	epochs, err := adm.OffsetForLeaderEpoch(ctx, request)
	must(t, err)
	check(t, epochs[name][0].EndOffset == 3, "end of the epoch", epochs)
	dirs, err := adm.DescribeAllLogDirs(ctx, kadm.TopicsSet{name: {0: {}}})
	must(t, err)
	check(t, len(dirs) == 3, "log directories", dirs)
}

// read polls until there were so many records.
func read(t *testing.T, ctx context.Context, cl *kgo.Client, count int) {
	t.Helper()
	for got := 0; got < count; {
		fetches := cl.PollFetches(ctx)
		must(t, fetches.Err0())
		got += fetches.NumRecords()
	}
}

// join makes a member of a group that has read two records of a topic and committed their offsets.
func join(t *testing.T, group, topic string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	member, adm, ctx := clients(t, append(opts, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())...)
	read(t, ctx, member, 2)
	must(t, member.CommitUncommittedOffsets(ctx))
	described, err := adm.DescribeGroups(ctx, group)
	must(t, err)
	check(t, described[group].State == "Stable" && len(described[group].Members) == 1, "group", described)
	return member
}

func checkListed(t *testing.T, adm *kadm.Client, ctx context.Context, group string) {
	t.Helper()
	groups, err := adm.ListGroups(ctx)
	must(t, err)
	_, listed := groups[group]
	check(t, listed, "group is listed", groups)
}

func elect(t *testing.T, adm *kadm.Client, ctx context.Context, name string) {
	t.Helper()
	elected, err := adm.ElectLeaders(ctx, kadm.ElectPreferredReplica, kadm.TopicsSet{name: {0: {}}})
	must(t, err)
	reason := elected[name][0].Err
	check(t, reason == nil || errors.Is(reason, kerr.ElectionNotNeeded), "election", elected)
}

func reassign(t *testing.T, adm *kadm.Client, ctx context.Context, name string, replicas []int32) {
	t.Helper()
	var request kadm.AlterPartitionAssignmentsReq
	request.Assign(name, 0, replicas)
	altered, err := adm.AlterPartitionAssignments(ctx, request)
	must(t, err)
	must(t, altered.Error())
}

// limitUser gives a user a quota and waits until it is told.
func limitUser(t *testing.T, adm *kadm.Client, ctx context.Context, name string) {
	t.Helper()
	user := []kadm.ClientQuotaEntityComponent{{Type: "user", Name: p(name)}}
	altered, err := adm.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{
		{Entity: user, Ops: []kadm.AlterClientQuotaOp{{Key: "producer_byte_rate", Value: 1e6}}},
	})
	must(t, err)
	must(t, altered[0].Err)
	eventually(t, ctx, "quota", func() (bool, any) {
		quotas, err := adm.DescribeClientQuotas(ctx, true, []kadm.DescribeClientQuotaComponent{
			{Type: "user", MatchName: p(name), MatchType: kmsg.QuotasMatchTypeExact},
		})
		must(t, err)
		return len(quotas) == 1 && quotas[0].Values[0].Value == 1e6, quotas
	})
}
