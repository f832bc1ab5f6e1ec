// Package conformance sweeps the admin calls of franz-go's kadm over a cluster of three brokers, KGO_SEEDS.
package conformance

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func seeds() kgo.Opt {
	return kgo.SeedBrokers(strings.Split(os.Getenv("KGO_SEEDS"), ",")...)
}

func clients(t *testing.T, opts ...kgo.Opt) (*kgo.Client, *kadm.Client, context.Context) {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{seeds()}, opts...)...)
	must(t, err)
	t.Cleanup(cl.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 180*time.Second)
	t.Cleanup(cancel)
	return cl, kadm.NewClient(cl), ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, ok bool, what string, got any) {
	t.Helper()
	if !ok {
		t.Errorf("%s: got %+v", what, got)
	}
}

// eventually asks until the answer is right: a change is committed when it is acknowledged, and on every broker a moment later.
func eventually(t *testing.T, ctx context.Context, what string, ask func() (bool, any)) {
	t.Helper()
	for {
		ok, got := ask()
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: got %+v", what, got)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func p[T any](value T) *T { return &value }

// topic makes a topic with two partitions on three brokers and removes it at the end.
func topic(t *testing.T, adm *kadm.Client, ctx context.Context, name string) string {
	t.Helper()
	_, err := adm.CreateTopic(ctx, 2, 3, nil, name)
	must(t, err)
	t.Cleanup(func() {
		_, err := adm.DeleteTopic(context.Background(), name)
		must(t, err)
	})
	return name
}

func write(t *testing.T, cl *kgo.Client, ctx context.Context, name string, values ...string) {
	t.Helper()
	for _, value := range values {
		must(t, cl.ProduceSync(ctx, &kgo.Record{Topic: name, Value: []byte(value)}).FirstErr())
	}
}

func TestTopics(t *testing.T) {
	_, adm, ctx := clients(t)
	name := topic(t, adm, ctx, "kadm-topics")
	_, err := adm.CreateTopic(ctx, 1, 3, nil, name)
	check(t, err != nil && strings.Contains(err.Error(), "TOPIC_ALREADY_EXISTS"), "a topic that exists", err)
	dry, err := adm.ValidateCreateTopics(ctx, 4, 3, map[string]*string{"retention.ms": p("1000")}, "kadm-dry")
	must(t, err)
	check(t, dry["kadm-dry"].Err == nil && dry["kadm-dry"].NumPartitions == 4, "validation only", dry)
	added, err := adm.CreatePartitions(ctx, 1, name)
	must(t, err)
	must(t, added[name].Err)
	listed, err := adm.ListTopics(ctx, name, "kadm-dry")
	must(t, err)
	check(t, len(listed[name].Partitions) == 3, "partitions after one more", listed[name])
	check(t, listed[name].Partitions[0].Replicas != nil && len(listed[name].Partitions[0].ISR) == 3, "in sync", listed)
	check(t, listed["kadm-dry"].Err != nil, "the validated topic is not there", listed["kadm-dry"])
	brokers, err := adm.ListBrokers(ctx)
	must(t, err)
	check(t, len(brokers) == 3, "brokers", brokers)
	_, err = adm.ApiVersions(ctx)
	must(t, err)
}

func TestConfigs(t *testing.T) {
	_, adm, ctx := clients(t)
	name := topic(t, adm, ctx, "kadm-configs")
	set := func(op kadm.IncrementalOp, key string, value *string) {
		t.Helper()
		responses, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: op, Name: key, Value: value}}, name)
		must(t, err)
		must(t, responses[0].Err)
	}
	get := func(key string) string {
		t.Helper()
		described, err := adm.DescribeTopicConfigs(ctx, name)
		must(t, err)
		for _, config := range described[0].Configs {
			if config.Key == key {
				return config.MaybeValue()
			}
		}
		return "not there"
	}
	set(kadm.SetConfig, "retention.ms", p("12345"))
	is := func(key, value string) {
		t.Helper()
		eventually(t, ctx, key, func() (bool, any) { got := get(key); return got == value, got })
	}
	is("retention.ms", "12345")
	set(kadm.AppendConfig, "cleanup.policy", p("compact"))
	is("cleanup.policy", "delete,compact")
	set(kadm.DeleteConfig, "retention.ms", nil)
	is("retention.ms", "604800000")
	bad, err := adm.ValidateAlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: p("soon")}}, name)
	must(t, err)
	check(t, bad[0].Err != nil, "a value that is none", bad)
	brokers, err := adm.DescribeBrokerConfigs(ctx, 1)
	must(t, err)
	must(t, brokers[0].Err)
	resources, err := adm.ListConfigResources(ctx)
	must(t, err)
	check(t, len(resources.Resources) > 0, "config resources", resources)
}

func TestOffsetsAndRecords(t *testing.T) {
	cl, adm, ctx := clients(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	name := topic(t, adm, ctx, "kadm-offsets")
	examine(t, cl, adm, ctx, name)
	starts, err := adm.ListStartOffsets(ctx, name)
	must(t, err)
	start, _ := starts.Lookup(name, 0)
	check(t, start.Offset == 2, "start offset after DeleteRecords", start)
	committed, err := adm.ListCommittedOffsets(ctx, name)
	must(t, err)
	must(t, committed.Error())
	newest, err := adm.ListMaxTimestampOffsets(ctx, name)
	must(t, err)
	at, _ := newest.Lookup(name, 0)
	check(t, at.Offset == 2, "offset of the newest timestamp", at)
	local, err := adm.ListLocalLogStartOffsets(ctx, name)
	must(t, err)
	must(t, local.Error())
	_, err = adm.ListLatestRemoteOffsets(ctx, name)
	must(t, err)
}

func TestGroups(t *testing.T) {
	cl, adm, ctx := clients(t)
	name := topic(t, adm, ctx, "kadm-groups")
	write(t, cl, ctx, name, "a", "b")
	member := join(t, "kadm-group", name)
	lags, err := adm.Lag(ctx, "kadm-group")
	must(t, err)
	lag := lags["kadm-group"].Lag.Total()
	check(t, lag == 0, "lag", lag)
	must(t, member.LeaveGroupContext(ctx))
	removed, err := adm.DeleteOffsets(ctx, "kadm-group", kadm.TopicsSet{name: {0: {}}})
	must(t, err)
	must(t, removed.Error())
	must(t, adm.CommitAllOffsets(ctx, "kadm-group", kadm.Offsets{name: {1: {Topic: name, Partition: 1, At: 1}}}))
	offsets, err := adm.FetchOffsets(ctx, "kadm-group")
	must(t, err)
	at, ok := offsets.Lookup(name, 1)
	check(t, ok && at.At == 1, "offset committed for the group", offsets)
	checkListed(t, adm, ctx, "kadm-group")
	_, err = adm.DeleteGroup(ctx, "kadm-group")
	must(t, err)
	must(t, adm.FindGroupCoordinators(ctx, "kadm-group").Error())
}

func TestTransactions(t *testing.T) {
	_, adm, ctx := clients(t)
	name := topic(t, adm, ctx, "kadm-transactions")
	cl, _, _ := clients(t, kgo.TransactionalID("kadm-tx"))
	must(t, cl.BeginTransaction())
	write(t, cl, ctx, name, "a")
	described, err := adm.DescribeTransactions(ctx, "kadm-tx")
	must(t, err)
	check(t, described["kadm-tx"].State == "Ongoing", "transaction", described)
	listed, err := adm.ListTransactions(ctx, nil, []string{"Ongoing"})
	must(t, err)
	_, isListed := listed["kadm-tx"]
	check(t, isListed, "transaction is listed", listed)
	producers, err := adm.DescribeProducers(ctx, kadm.TopicsSet{name: nil})
	must(t, err)
	check(t, len(producers.SortedProducers()) == 1, "active producers", producers)
	must(t, cl.EndTransaction(ctx, kgo.TryCommit))
	must(t, adm.FindTxnCoordinators(ctx, "kadm-tx").Error())
}

func TestReassignmentAndElection(t *testing.T) {
	_, adm, ctx := clients(t)
	name := "kadm-reassign"
	_, err := adm.CreateTopic(ctx, 1, 2, nil, name)
	must(t, err)
	reassign(t, adm, ctx, name, []int32{1, 2, 3})
	for {
		listed, err := adm.ListTopics(ctx, name)
		must(t, err)
		ongoing, err := adm.ListPartitionReassignments(ctx, nil)
		must(t, err)
		if len(ongoing) == 0 && len(listed[name].Partitions[0].ISR) == 3 {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("the reassignment did not end: %+v", listed[name])
		}
	}
	elect(t, adm, ctx, name)
	_, err = adm.DeleteTopic(ctx, name)
	must(t, err)
}

func TestQuotasAndUsers(t *testing.T) {
	_, adm, ctx := clients(t)
	limitUser(t, adm, ctx, "kadm")
	users, err := adm.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{
		{User: "kadm", Mechanism: kadm.ScramSha256, Iterations: 4096, Password: "secret"},
	})
	must(t, err)
	must(t, users.Error())
	eventually(t, ctx, "credentials", func() (bool, any) {
		described, err := adm.DescribeUserSCRAMs(ctx, "kadm")
		must(t, err)
		return len(described["kadm"].CredInfos) == 1, described
	})
}

func TestFeatures(t *testing.T) {
	_, adm, ctx := clients(t)
	updated, err := adm.UpdateFeatures(ctx, true, kadm.FeatureUpdate{
		Feature: "metadata.version", MaxVersionLevel: 99, UpgradeType: 1,
	})
	refused := err != nil || len(updated) > 0 && updated["metadata.version"].Err != nil
	check(t, refused, "a level that nobody knows", updated)
}
