/**
 * Transactions of Apache Kafka's Java clients against three processes, with both versions of the transaction protocol; see
 * java/Transactions.java.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { startCluster, type Cluster } from './harness.ts'
import { compile, runJava } from './java.ts'

const checks: readonly (readonly [name: string, claim: string])[] = [
  ['commit', 'records of a transaction are seen when it is committed, not before'],
  ['abort', 'records of an aborted transaction are never seen by read_committed'],
  ['many', 'a hundred transactions of one producer, a third of them aborted'],
  ['empty', 'transactions without records may be committed and aborted'],
  ['offsets', 'consume, transform, produce: offsets move with the transaction, each record comes out once'],
  ['fencing', 'a second producer with the same transactional id fences the first'],
  ['timeout', 'a transaction that is open for too long is aborted, and its producer fenced'],
  ['admin', 'an administrator lists, describes and fences'],
]

describeWith(['java', 'apache-kafka'], 'transactions of Apache Kafka’s Java clients', () => {
  let cluster: Cluster
  let classes: string

  beforeAll(async () => {
    classes = compile('Transactions')
    cluster = await startCluster({
      brokers: 3,
      settings: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500' },
    })
  })

  afterAll(async () => {
    await cluster?.stop()
  })

  describe.each(['2', '0'])('transaction.version %s', version => {
    let output = ''

    beforeAll(async () => {
      ;({ output } = await runJava('Transactions', [cluster.bootstrap, version], classes))
    })

    test.each(checks)('%s: %s', name => {
      const result = output.split('\n').find(line => line.startsWith(`ok ${name}`) || line.startsWith(`failed ${name}`))
      if (result !== `ok ${name}`) throw new Error(`${result ?? 'the check did not run'}\n${output}`)
      expect(result).toBe(`ok ${name}`)
    })
  })
})
