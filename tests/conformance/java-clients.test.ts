/**
 * Apache Kafka's Java clients against three processes: Admin, Producer, and Consumer under the classic group protocol. One JVM runs all the
 * checks of java/Clients.java.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { startCluster, type Cluster } from './harness.ts'
import { compile, runJava } from './java.ts'

describeWith(['java', 'apache-kafka'], 'Apache Kafka’s Java clients', () => {
  let cluster: Cluster
  let classes: string
  let output = ''

  beforeAll(async () => {
    classes = compile('Clients')
    cluster = await startCluster({ brokers: 3 })
    ;({ output } = await runJava('Clients', [cluster.bootstrap], classes))
  })

  afterAll(async () => {
    await cluster?.stop()
  })

  test.each([
    ['admin', 'create, widen, describe by name and id, and delete topics'],
    ['configs', 'set and append to settings, and see where a value comes from'],
    ['quorum', 'describe the quorum and the finalized features'],
    ['codecs', 'read back what they wrote with each of the five codecs'],
    ['idempotent-order', 'keep the order with idempotence and five requests in flight'],
    ['acks', 'write with acks 0, 1 and all'],
    ['offsets', 'find the first, the last, the latest in time and the first at a time'],
    ['group', 'commit, pause, seek, alter and list offsets of a group'],
    ['cooperative', 'hand over partitions one by one under the cooperative protocol'],
    ['static-membership', 'come back to their partitions as static members, without a rebalance'],
    ['positions', 'check positions against leader epochs, and start anew out of range'],
  ])('%s: they %s', name => {
    const result = output.split('\n').find(line => line.startsWith(`ok ${name}`) || line.startsWith(`failed ${name}`))
    if (result !== `ok ${name}`) throw new Error(`${result ?? 'the check did not run'}\n${output}`)
    expect(result).toBe(`ok ${name}`)
  })
})
