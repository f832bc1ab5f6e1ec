/**
 * Every method of Kafka's Admin interface, in every overload, against three processes with SASL, an authorizer and delegation tokens. One JVM
 * runs java/AdminSweep.java, which finds the methods by reflection; each is a case here.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { isReference } from './engine.ts'
import { startCluster, type Cluster } from './harness.ts'
import { compile, runJava } from './java.ts'
import { plainLogin } from './security.ts'

const settings = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  // The controllers' listener is PLAINTEXT.
  'super.users': 'User:admin;User:ANONYMOUS',
  'sasl.enabled.mechanisms': 'PLAIN',
  'sasl.mechanism.inter.broker.protocol': 'PLAIN',
  'listener.name.sasl_plaintext.plain.sasl.jaas.config': plainLogin,
  'delegation.token.secret.key': 'a secret of all nodes',
  'share.coordinator.state.topic.replication.factor': '3',
  'share.coordinator.state.topic.min.isr': '2',
  'share.coordinator.state.topic.num.partitions': '3',
}

const clientProperties = [
  'security.protocol=SASL_PLAINTEXT',
  'sasl.mechanism=PLAIN',
  'sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="admin-secret";',
  '',
].join('\n')

/** Of Apache Kafka 4.3.1. */
const methods = [
  ...[
    'createTopics',
    'listTopics',
    'describeTopics',
    'createPartitions',
    'deleteTopics',
    'deleteRecords',
    'listOffsets',
  ],
  ...[
    'electLeaders',
    'alterPartitionReassignments',
    'listPartitionReassignments',
    'describeCluster',
    'describeConfigs',
  ],
  ...['incrementalAlterConfigs', 'listConfigResources', 'listClientMetricsResources', 'describeLogDirs'],
  ...['describeReplicaLogDirs', 'alterReplicaLogDirs', 'describeMetadataQuorum', 'addRaftVoter', 'removeRaftVoter'],
  ...['describeFeatures', 'updateFeatures', 'unregisterBroker', 'createAcls', 'describeAcls', 'deleteAcls'],
  ...['createDelegationToken', 'describeDelegationToken', 'renewDelegationToken', 'expireDelegationToken'],
  ...['alterClientQuotas', 'describeClientQuotas', 'alterUserScramCredentials', 'describeUserScramCredentials'],
  ...[
    'describeConsumerGroups',
    'describeClassicGroups',
    'listGroups',
    'listConsumerGroups',
    'listConsumerGroupOffsets',
  ],
  ...['alterConsumerGroupOffsets', 'deleteConsumerGroupOffsets', 'removeMembersFromConsumerGroup'],
  ...['deleteConsumerGroups', 'describeStreamsGroups', 'alterStreamsGroupOffsets', 'listStreamsGroupOffsets'],
  ...['deleteStreamsGroupOffsets', 'deleteStreamsGroups', 'describeShareGroups', 'alterShareGroupOffsets'],
  ...['listShareGroupOffsets', 'deleteShareGroupOffsets', 'deleteShareGroups', 'describeProducers'],
  ...['describeTransactions', 'listTransactions', 'fenceProducers', 'forceTerminateTransaction', 'abortTransaction'],
  ...['metrics', 'registerMetricForSubscription', 'unregisterMetricFromSubscription', 'clientInstanceId', 'close'],
] as const

/** Not offered, so that the client says UnsupportedVersionException. Apache Kafka takes telemetry through a plug-in alone. */
const notOffered: ReadonlySet<string> = new Set(isReference ? ['clientInstanceId'] : [])

describeWith(['java', 'apache-kafka'], 'Admin of Apache Kafka’s Java client', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'faultline-admin-'))
  let cluster: Cluster
  let classes: string
  let output = ''
  const results = new Map<string, string>()

  beforeAll(async () => {
    classes = compile('AdminSweep')
    const protocols = { client: 'SASL_PLAINTEXT', controller: 'PLAINTEXT' }
    cluster = await startCluster({ brokers: 3, settings, protocols })
    const file = path.join(directory, 'client.properties')
    writeFileSync(file, clientProperties)
    ;({ output } = await runJava('AdminSweep', [cluster.bootstrap, file], classes))
    for (const [, outcome = '', name = ''] of output.matchAll(/^(ok|refused|failed) (\w+)/gm))
      results.set(name, outcome)
  })

  afterAll(async () => {
    await cluster?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  test.each(methods)('%s answers in every overload as on Apache Kafka', name => {
    const expected = notOffered.has(name) ? 'refused' : 'ok'
    if (results.get(name) !== expected) {
      const from = output.search(new RegExp(`^(ok|refused|failed) ${name}\\b`, 'm'))
      throw new Error(from < 0 ? `the check did not run:\n${output.slice(-3_000)}` : output.slice(from, from + 1_500))
    }
    expect(results.get(name)).toBe(expected)
  })

  test('has no method without a case', () => {
    expect([...results.keys()].toSorted()).toEqual([...methods].toSorted())
  })
})
