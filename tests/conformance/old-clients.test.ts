/** Clients of Apache Kafka 2.8.2, years older than the protocol's newest versions, against three processes; see java/OldClients.java. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { startCluster, type Cluster } from './harness.ts'
import { compile, oldClientJars, runJava } from './java.ts'

describeWith(['java', 'maven'], 'Apache Kafka’s clients 2.8.2', () => {
  let cluster: Cluster
  let classes: string
  let output = ''

  beforeAll(async () => {
    const jars = await oldClientJars()
    classes = compile('OldClients', jars)
    cluster = await startCluster({ brokers: 3 })
    ;({ output } = await runJava('OldClients', [cluster.bootstrap], classes, jars))
  })

  afterAll(async () => {
    await cluster?.stop()
  })

  test.each([
    ['release', 'are of that release'],
    ['admin', 'create, widen, describe, measure, cut and delete topics'],
    ['configs', 'replace the settings of a topic (AlterConfigs)'],
    ['codecs', 'read back what they wrote with each of the five codecs'],
    ['idempotent', 'keep the order with idempotence'],
    ['transactions', 'commit and abort transactions, and read committed records alone'],
    ['fencing', 'fence a producer with the same transactional id'],
    ['exactly-once', 'commit offsets and records in one transaction'],
    ['group', 'share partitions under the eager and the cooperative protocol'],
    ['group-admin', 'list, describe, alter and delete groups and their offsets'],
  ])('%s: they %s', name => {
    const result = output.split('\n').find(line => line === `ok ${name}` || line.startsWith(`failed ${name}:`))
    if (result !== `ok ${name}`) throw new Error(`${result ?? 'the check did not run'}\n${output.slice(-6_000)}`)
    expect(result).toBe(`ok ${name}`)
  })
})
