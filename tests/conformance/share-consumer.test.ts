/**
 * Apache Kafka's KafkaShareConsumer and the share tools against three processes. The checks of java/Shares.java run in one JVM, those after
 * the failover in another.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { startCluster, type Cluster } from './harness.ts'
import { compile, runJava } from './java.ts'

const settings = {
  // Of the two groups that wait for the end of a lock; elsewhere it ends when a machine is too busy, and then a record comes twice.
  'group.share.min.record.lock.duration.ms': '1000',
  'share.coordinator.state.topic.num.partitions': '3',
}

const checks = [
  ['implicit', 'read everything once, and acknowledge it by the next poll'],
  ['explicit', 'accept, release and reject records one by one'],
  ['delivery-limit', 'get a released record five times, and not a sixth time'],
  ['lock-timeout', 'get what another held too long, whose acknowledgement then comes too late'],
  ['renewal', 'hold a record for longer than a lock by renewing it'],
  ['together', 'share a partition, each record for one of them'],
  ['record-limit', 'get no more records than they ask for in record_limit mode'],
  ['aborted', 'do not see aborted transactions when their group reads committed records'],
  ['before-failover', 'acknowledge some records of a partition'],
  ['after-failover', 'find these acknowledged, and the others not, when its leader is gone'],
] as const

describeWith(['java', 'apache-kafka'], 'Apache Kafka’s share consumers', () => {
  let cluster: Cluster
  let classes: string
  let output = ''

  beforeAll(async () => {
    classes = compile('Shares')
    cluster = await startCluster({ brokers: 3, settings })
    const names = checks.map(([name]) => name)
    const before = await runJava('Shares', [cluster.bootstrap, ...names.slice(0, -1)], classes)
    const [first] = cluster.brokers
    await first?.kill()
    const after = await runJava('Shares', [cluster.bootstrap, 'after-failover'], classes)
    output = before.output + after.output
  })

  afterAll(async () => {
    await cluster?.stop()
  })

  test.each(checks)('%s: they %s', name => {
    const result = output.split('\n').find(line => line.startsWith(`ok ${name}`) || line.startsWith(`failed ${name}`))
    if (result !== `ok ${name}`) throw new Error(`${result ?? 'the check did not run'}\n${output}`)
    expect(result).toBe(`ok ${name}`)
  })
})
