"""
librdkafka through its binding for Python: each check on topics and groups of its own. Prints a line per check: `ok NAME` or
`failed NAME: WHY`. Argument: bootstrap servers of a cluster with three brokers.
"""

import sys
import time
import traceback

import confluent_kafka
from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

BOOTSTRAP = sys.argv[1]
WITHIN_S = 120
admin = AdminClient({"bootstrap.servers": BOOTSTRAP})


def expect(expected, actual):
    if expected != actual:
        raise AssertionError(f"expected {expected!r}, got {actual!r}")


def until(what, holds):
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {WITHIN_S} s: {what}")


def results(futures):
    return {key: future.result(WITHIN_S) for key, future in futures.items()}


def create(topic, partitions=1):
    results(admin.create_topics([NewTopic(topic, partitions, 3)]))
    until(f"{topic} is known", lambda: topic in admin.list_topics(timeout=WITHIN_S).topics)


def producer(**more):
    settings = {"bootstrap.servers": BOOTSTRAP, "acks": "all", "linger.ms": 5}
    settings.update({key.replace("_", "."): value for key, value in more.items()})
    return confluent_kafka.Producer(settings)


def write(client, topic, values):
    failures = []
    for value in values:
        client.produce(topic, value, key="key", partition=0, on_delivery=lambda error, _: error and failures.append(error))
    client.flush(WITHIN_S)
    expect([], failures)


def consumer(group, protocol="classic", **more):
    settings = {
        "bootstrap.servers": BOOTSTRAP,
        "group.id": group,
        "group.protocol": protocol,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
    }
    settings.update({key.replace("_", "."): value for key, value in more.items()})
    return confluent_kafka.Consumer(settings)


def take(client, count):
    values = []

    def enough():
        message = client.poll(0.2)
        if message is not None:
            if message.error():
                raise KafkaException(message.error())
            values.append(message.value().decode())
        return len(values) >= count

    until(f"{count} records, got {values[-3:]}", enough)
    return values


def read(topic, count):
    client = consumer(f"{topic}-reader")
    client.assign([TopicPartition(topic, 0, 0)])
    try:
        return take(client, count)
    finally:
        client.close()


def codecs(name):
    create(name)
    expected = []
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        values = [f"{codec} {index} {'abcdefgh' * (index % 40)}" for index in range(100)]
        write(producer(compression_type=codec), name, values)
        expected += values
    expect(expected, read(name, len(expected)))


def idempotent(name):
    create(name)
    values = [f"value-{index}" for index in range(500)]
    write(producer(enable_idempotence=True, batch_num_messages=7), name, values)
    expect(values, read(name, 500))


def transactions(name):
    create(name)
    client = producer(transactional_id=name)
    client.init_transactions(WITHIN_S)
    for value in ["committed-1", "aborted", "committed-2"]:
        client.begin_transaction()
        write(client, name, [value])
        if value == "aborted":
            client.abort_transaction(WITHIN_S)
        else:
            client.commit_transaction(WITHIN_S)
    expect(["committed-1", "committed-2"], read(name, 2))


def fencing(name):
    create(name)
    first = producer(transactional_id=name)
    first.init_transactions(WITHIN_S)
    first.begin_transaction()
    write(first, name, ["of the fenced one"])
    second = producer(transactional_id=name)
    second.init_transactions(WITHIN_S)
    second.begin_transaction()
    write(second, name, ["of the second"])
    try:
        first.commit_transaction(WITHIN_S)
        raise AssertionError("the first was not fenced")
    except KafkaException as refused:
        expect(KafkaError._FENCED, refused.args[0].code())
    second.commit_transaction(WITHIN_S)
    expect(["of the second"], read(name, 1))


def exactly_once(name):
    create(name)
    create(f"{name}-out")
    write(producer(), name, ["1", "2", "3"])
    for commit in [False, True]:
        source = consumer(name)
        source.subscribe([name])
        sink = producer(transactional_id=name)
        sink.init_transactions(WITHIN_S)
        expect(["1", "2", "3"], take(source, 3))
        sink.begin_transaction()
        write(sink, f"{name}-out", ["11", "22", "33"])
        sink.send_offsets_to_transaction(source.position(source.assignment()), source.consumer_group_metadata(), WITHIN_S)
        if commit:
            sink.commit_transaction(WITHIN_S)
        else:
            sink.abort_transaction(WITHIN_S)
        source.close()
    expect(["11", "22", "33"], read(f"{name}-out", 3))
    checker = consumer(name)
    expect(3, checker.committed([TopicPartition(name, 0)], WITHIN_S)[0].offset)
    checker.close()


def group(protocol):
    def check(name):
        create(name, 4)
        write(producer(), name, [str(index) for index in range(10)])
        more = {} if protocol == "consumer" else {"session_timeout_ms": 10_000, "heartbeat_interval_ms": 300}
        first, second = consumer(name, protocol, **more), consumer(name, protocol, **more)
        got = []

        def poll(client):
            message = client.poll(0.1)
            if message is not None and not message.error():
                got.append(message.value().decode())

        first.subscribe([name])
        until("the first has all", lambda: poll(first) or len(first.assignment()) == 4)
        until("all are read", lambda: poll(first) or len(got) == 10)
        expect([str(index) for index in range(10)], got)
        first.commit(asynchronous=False)
        second.subscribe([name])
        until("both have half", lambda: poll(first) or poll(second) or (len(first.assignment()), len(second.assignment())) == (2, 2))
        kept = {(each.topic, each.partition) for each in first.assignment() + second.assignment()}
        expect(4, len(kept))
        described = results(admin.describe_consumer_groups([name]))[name]
        expect(("STABLE", protocol.upper(), 2), (described.state.name, described.type.name, len(described.members)))
        second.close()
        until("the first has all again", lambda: poll(first) or len(first.assignment()) == 4)
        first.close()
        later = consumer(name, protocol, **more)
        later.subscribe([name])
        write(producer(), name, ["after"])
        expect(["after"], take(later, 1))
        later.close()

    return check


def administration(name):
    create(name, 2)
    try:
        results(admin.create_topics([NewTopic(name, 2, 3)]))
        raise AssertionError("created twice")
    except KafkaException as refused:
        expect(KafkaError.TOPIC_ALREADY_EXISTS, refused.args[0].code())
    results(admin.create_partitions([NewPartitions(name, 3)]))
    until("three partitions", lambda: len(admin.list_topics(name, WITHIN_S).topics[name].partitions) == 3)
    expect(3, len(admin.describe_cluster().result(WITHIN_S).nodes))
    topic = ConfigResource(ResourceType.TOPIC, name)
    change = ConfigResource(
        ResourceType.TOPIC,
        name,
        incremental_configs=[ConfigEntry("retention.ms", "60000", incremental_operation=AlterConfigOpType.SET)],
    )
    results(admin.incremental_alter_configs([change]))
    until("the setting is there", lambda: results(admin.describe_configs([topic]))[topic]["retention.ms"].value == "60000")
    write(producer(), name, ["a", "b", "c"])
    partition = TopicPartition(name, 0)
    latest = admin.list_offsets({partition: OffsetSpec.latest()}, isolation_level=IsolationLevel.READ_COMMITTED)
    expect(3, results(latest)[partition].offset)
    deleted = results(admin.delete_records([TopicPartition(name, 0, 2)]))
    expect([2], [each.low_watermark for each in deleted.values()])
    expect(2, results(admin.list_offsets({partition: OffsetSpec.earliest()}))[partition].offset)
    results(admin.delete_topics([name]))
    until("it is gone", lambda: name not in admin.list_topics(timeout=WITHIN_S).topics)


def group_administration(name):
    create(name)
    write(producer(), name, ["a", "b", "c"])
    member = consumer(name)
    member.subscribe([name])
    take(member, 3)
    member.commit(asynchronous=False)
    member.close()
    expect(True, name in [each.group_id for each in admin.list_consumer_groups().result(WITHIN_S).valid])

    def offset():
        found = results(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(name)]))[name]
        return [each.offset for each in found.topic_partitions]

    expect([3], offset())
    results(admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(name, [TopicPartition(name, 0, 1)])]))
    expect([1], offset())
    results(admin.delete_consumer_groups([name]))
    expect(False, name in [each.group_id for each in admin.list_consumer_groups().result(WITHIN_S).valid])


CHECKS = {
    "codecs": codecs,
    "idempotent": idempotent,
    "transactions": transactions,
    "fencing": fencing,
    "exactly-once": exactly_once,
    "group-classic": group("classic"),
    "group-consumer": group("consumer"),
    "admin": administration,
    "group-admin": group_administration,
}

for title, check in CHECKS.items():
    try:
        check(f"librdkafka-{title}")
        print(f"ok {title}", flush=True)
    except Exception as problem:
        print(f"failed {title}: {problem!r}", flush=True)
        traceback.print_exc(file=sys.stdout)
