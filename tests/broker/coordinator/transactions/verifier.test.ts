/** Which coordinator is asked, what goes into one request, and what its answers become. */
import { describe, expect, test } from 'vitest'
import { CoordinatorVerifier } from '#broker/coordinator/transactions/verifier.ts'
import { partitionOf } from '#broker/coordinator/runtime/java-hash.ts'
import type { MetadataImage } from '#broker/controller/image.ts'
import type { Address } from '#broker/environment/environment.ts'
import { errorCode, type ErrorName } from '#broker/protocol/errors.ts'
import type { AddPartitionsToTxnRequest } from '#broker/protocol/messages/24-add-partitions-to-txn.ts'
import type { TransactionSupport } from '#broker/replication/transaction-verifier.ts'
import { TestCluster } from '../../replication/test-cluster.ts'

type Transactions = AddPartitionsToTxnRequest['transactions']

interface Sent {
  readonly to: Address
  readonly transactions: Transactions
  readonly answer: (response: object) => void
  readonly fail: (error: Error) => void
}

function setUp(replicas: number[] = [1]) {
  const cluster = new TestCluster(2)
  cluster.createTopic('__transaction_state', replicas, {}, 4)
  const sent: Sent[] = []
  const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet }
  const verifier = new CoordinatorVerifier({
    environment: { log: quiet },
    interBrokerListener: 'PLAINTEXT',
    requestTimeoutMs: 1000,
    metadata: (): MetadataImage => cluster.image,
    client: {
      send: (to, _apiKey, body) =>
        new Promise((resolve, reject) => {
          sent.push({
            to,
            transactions: (body as { transactions: Transactions }).transactions,
            answer: response => resolve({ response: response as never, version: 5 }),
            fail: reject,
          })
        }),
      close: () => {},
    },
  })
  const ask = (transactionalId: string, producerEpoch = 0, support: TransactionSupport = 'generic-error') =>
    verifier.verify({ transactionalId, producerId: 1n, producerEpoch }, [{ topic: 'a', partition: 2 }], support)
  return { cluster, sent, ask }
}

function reply(sent: Sent | undefined, error: ErrorName | 'NONE'): void {
  sent?.answer({
    errorCode: 0,
    resultsByTransaction: sent.transactions.map(({ transactionalId, topics }) => ({
      transactionalId,
      topicResults: topics.map(({ name, partitions }) => ({
        name,
        resultsByPartition: partitions.map(partitionIndex => ({
          partitionIndex,
          partitionErrorCode: errorCode(error),
        })),
      })),
    })),
  })
}

describe('the coordinator', () => {
  test('is the leader of the partition that the transactional id belongs to', async () => {
    const { cluster, sent, ask } = setUp([2])
    const asked = ask('pay')
    const leader = cluster.image.partition('__transaction_state', partitionOf('pay', 4))!.leader
    expect(leader).toBe(2)
    const { host, port } = cluster.image.brokers.get(leader)!.endpoints[0]!
    expect(sent[0]!.to).toEqual({ host, port })
    reply(sent[0], 'NONE')
    expect(await asked).toEqual(['NONE'])
  })

  test('is not available while there is no such topic', async () => {
    const { cluster, ask } = setUp()
    cluster.image = new TestCluster(1).image
    expect(await ask('pay')).toEqual(['COORDINATOR_NOT_AVAILABLE'])
  })

  test('is asked to verify, or to add for clients that leave it to the broker', () => {
    const { sent, ask } = setUp()
    void ask('old', 0, 'default-error')
    expect(sent[0]!.transactions[0]).toMatchObject({ verifyOnly: true, topics: [{ name: 'a', partitions: [2] }] })
    const other = setUp()
    void other.ask('new', 0, 'add-partition')
    expect(other.sent[0]!.transactions[0]!.verifyOnly).toBe(false)
  })
})

describe('questions that come while one is under way', () => {
  test('go into the next request together', async () => {
    const { sent, ask } = setUp()
    const answers = [ask('a'), ask('b'), ask('c')]
    expect(sent).toHaveLength(1)
    reply(sent[0], 'NONE')
    await answers[0]
    await new Promise(resolve => process.nextTick(resolve))
    expect(sent).toHaveLength(2)
    expect(sent[1]!.transactions.map(each => each.transactionalId)).toEqual(['b', 'c'])
    reply(sent[1], 'INVALID_TXN_STATE')
    expect(await Promise.all(answers)).toEqual([['NONE'], ['INVALID_TXN_STATE'], ['INVALID_TXN_STATE']])
  })

  test.each([
    [1, 2, ['INVALID_PRODUCER_EPOCH'], undefined],
    [1, 1, ['NETWORK_EXCEPTION'], undefined],
    [2, 1, undefined, ['INVALID_PRODUCER_EPOCH']],
  ])('of one transactional id, first with epoch %i, then %i: one goes', async (first, second, toFirst, toSecond) => {
    const { ask } = setUp()
    void ask('busy')
    const [one, two] = [ask('pay', first), ask('pay', second)]
    expect(await (toFirst === undefined ? two : one)).toEqual(toFirst ?? toSecond)
  })
})

describe('answers', () => {
  test.each([
    ['PRODUCER_FENCED', 'generic-error', 'INVALID_PRODUCER_EPOCH'],
    ['TRANSACTION_ABORTABLE', 'default-error', 'INVALID_TXN_STATE'],
    ['TRANSACTION_ABORTABLE', 'generic-error', 'TRANSACTION_ABORTABLE'],
    ['CONCURRENT_TRANSACTIONS', 'add-partition', 'CONCURRENT_TRANSACTIONS'],
  ] as const)('%s with support %s becomes %s', async (answer, support, told) => {
    const { sent, ask } = setUp()
    const asked = ask('pay', 0, support)
    reply(sent[0], answer)
    expect(await asked).toEqual([told])
  })

  test('to the request as a whole count for all', async () => {
    const { sent, ask } = setUp()
    const asked = ask('pay')
    sent[0]!.answer({ errorCode: errorCode('CLUSTER_AUTHORIZATION_FAILED'), resultsByTransaction: [] })
    expect(await asked).toEqual(['INVALID_TXN_STATE'])
  })

  test('that do not come are a network exception', async () => {
    const { sent, ask } = setUp()
    const asked = ask('pay')
    sent[0]!.fail(new Error('connection lost'))
    expect(await asked).toEqual(['NETWORK_EXCEPTION'])
  })
})
