/** The transaction coordinator's machine, for both versions of the transaction protocol. */
import { describe, expect, test } from 'vitest'
import { maxEpoch } from '#broker/coordinator/transactions/transaction-value.ts'
import { encodeTransaction, decodeTransaction } from '#broker/coordinator/transactions/transaction-records.ts'
import { now, TransactionHarness } from './harness.ts'

const a0 = ['a', 0] as const
const a1 = ['a', 1] as const
const b0 = ['b', 0] as const

describe('InitProducerId', () => {
  test('a new transactional id gets a producer id and epoch 0; the next producer gets epoch 1 and fences the first', () => {
    const harness = new TransactionHarness()
    const first = now(harness.init())
    expect(first).toEqual({ error: 'NONE', producerId: 100n, producerEpoch: 0 })
    expect(now(harness.init())).toEqual({ error: 'NONE', producerId: 100n, producerEpoch: 1 })
    expect(now(harness.add(first, a0))).toBe('PRODUCER_FENCED')
    expect(now(harness.end(first, true)).error).toBe('PRODUCER_FENCED')
  })

  test('a timeout of 0 or above transaction.max.timeout.ms is refused', () => {
    const harness = new TransactionHarness()
    expect(now(harness.init({ timeoutMs: 0 })).error).toBe('INVALID_TRANSACTION_TIMEOUT')
    expect(now(harness.init({ timeoutMs: 900_001 })).error).toBe('INVALID_TRANSACTION_TIMEOUT')
    expect(now(harness.init({ timeoutMs: 900_000 })).error).toBe('NONE')
  })

  test('two-phase commit is refused while transaction.two.phase.commit.enable is off, keeping prepared transactions always', () => {
    const harness = new TransactionHarness()
    expect(now(harness.init({ enableTwoPhaseCommit: true })).error).toBe('TRANSACTIONAL_ID_AUTHORIZATION_FAILED')
    expect(now(harness.init({ keepPreparedTransaction: true })).error).toBe('UNSUPPORTED_VERSION')
  })

  test('a producer that names its epoch gets the next one, and gets the same when it asks again', () => {
    const harness = new TransactionHarness()
    const { producerId, producerEpoch } = now(harness.init())
    const expected = { producerId, producerEpoch }
    expect(now(harness.init({ expected }))).toMatchObject({ error: 'NONE', producerEpoch: 1 })
    expect(now(harness.init({ expected }))).toMatchObject({ error: 'NONE', producerEpoch: 1 })
  })

  test('a producer that names an epoch that somebody else replaced is fenced', () => {
    const harness = new TransactionHarness()
    const { producerId, producerEpoch } = now(harness.init())
    harness.init()
    expect(now(harness.init({ expected: { producerId, producerEpoch } })).error).toBe('PRODUCER_FENCED')
    expect(now(harness.init({ expected: { producerId: 7n, producerEpoch: 1 } })).error).toBe('PRODUCER_FENCED')
  })

  test('a request that comes while the first is being written is told CONCURRENT_TRANSACTIONS', () => {
    const harness = new TransactionHarness()
    harness.holdRecords = true
    const first = harness.init()
    expect(first.answer).toBeUndefined()
    expect(now(harness.init()).error).toBe('CONCURRENT_TRANSACTIONS')
    harness.release()
    expect(now(first)).toMatchObject({ error: 'NONE', producerEpoch: 0 })
  })

  test('nobody is answered before the record is committed, and a failed append leaves the state as it was', () => {
    const harness = new TransactionHarness()
    harness.init()
    harness.holdRecords = true
    const second = harness.init()
    harness.commit(harness.heldRecords.pop()!, 'COORDINATOR_NOT_AVAILABLE')
    expect(now(second)).toEqual({ error: 'COORDINATOR_NOT_AVAILABLE', producerId: -1n, producerEpoch: -1 })
    expect(harness.state.producerEpoch).toBe(0)
  })

  test('without a controller that hands out ids the client is told to come again', () => {
    const harness = new TransactionHarness()
    harness.holdIds = true
    const box = harness.init()
    harness.step(() => harness.heldIds.pop()!(undefined))
    expect(now(box).error).toBe('COORDINATOR_LOAD_IN_PROGRESS')
  })

  test('who waits for a producer id is told when the coordinator moves', () => {
    const harness = new TransactionHarness()
    harness.holdIds = true
    const box = harness.init()
    harness.failOver()
    expect(now(box).error).toBe('NOT_COORDINATOR')
  })

  test.each([0, 2])('an ongoing transaction is aborted first, transaction.version %i', version => {
    const harness = new TransactionHarness(version)
    const first = now(harness.init())
    harness.add(first, a0)
    harness.holdMarkers = true
    expect(now(harness.init()).error).toBe('CONCURRENT_TRANSACTIONS')
    expect(harness.state.state).toBe('PrepareAbort')
    expect(now(harness.init()).error).toBe('CONCURRENT_TRANSACTIONS')
    harness.release()
    expect(harness.state.state).toBe('CompleteAbort')
    // One epoch fenced the first producer, the next one belongs to the second.
    expect(now(harness.init())).toMatchObject({ error: 'NONE', producerEpoch: 2 })
    expect(harness.markers).toMatchObject([{ committed: false, producerEpoch: 1, producerId: first.producerId }])
  })

  test('before transactions v2 an epoch whose fence was not written is used for the next attempt', () => {
    const harness = new TransactionHarness(0)
    harness.add(now(harness.init()), a0)
    harness.holdRecords = true
    const failed = harness.init()
    harness.commit(harness.heldRecords.pop()!, 'COORDINATOR_NOT_AVAILABLE')
    expect(now(failed).error).toBe('COORDINATOR_NOT_AVAILABLE')
    harness.holdRecords = false
    harness.init()
    expect(harness.markers).toMatchObject([{ producerEpoch: 1 }])
  })
})

describe('a transaction', () => {
  test.each([0, 2])('is committed in the log before any marker is sent, transaction.version %i', version => {
    const harness = new TransactionHarness(version)
    const producer = now(harness.init())
    expect(now(harness.add(producer, a0, b0))).toBe('NONE')
    expect(now(harness.add(producer, a1))).toBe('NONE')
    harness.holdRecords = true
    const ended = harness.end(producer, true)
    expect(ended.answer).toBeUndefined()
    expect(harness.markers).toEqual([])
    harness.holdMarkers = true
    harness.holdRecords = false
    harness.commit(harness.heldRecords.pop()!)
    expect(now(ended).error).toBe('NONE')
    const partitions = new Map([
      ['a', new Set([0, 1])],
      ['b', new Set([0])],
    ])
    expect(harness.markers).toMatchObject([{ committed: true, partitions, transactionVersion: version }])
    expect(harness.state.state).toBe('PrepareCommit')
    harness.release()
    expect(harness.state).toMatchObject({ state: 'CompleteCommit', partitions: new Map() })
  })

  test('adding partitions that are there already writes nothing', () => {
    const harness = new TransactionHarness()
    const producer = now(harness.init())
    harness.add(producer, a0, a1)
    const written = harness.log.length
    expect(now(harness.add(producer, a1))).toBe('NONE')
    expect(harness.log).toHaveLength(written)
  })

  test('an unknown transactional id, producer id or epoch is refused', () => {
    const harness = new TransactionHarness()
    expect(now(harness.add({ producerId: 1n, producerEpoch: 0 }, a0))).toBe('INVALID_PRODUCER_ID_MAPPING')
    expect(now(harness.end({ producerId: 1n, producerEpoch: 0 }, true)).error).toBe('INVALID_PRODUCER_ID_MAPPING')
    const { producerId } = now(harness.init())
    expect(now(harness.add({ producerId: 1n, producerEpoch: 0 }, a0))).toBe('INVALID_PRODUCER_ID_MAPPING')
    expect(now(harness.add({ producerId, producerEpoch: 5 }, a0))).toBe('PRODUCER_FENCED')
  })

  test('verification names the partitions that are not in it', () => {
    const harness = new TransactionHarness()
    const producer = now(harness.init())
    harness.add(producer, a0)
    const verify = harness.shard.verifyPartitions({ transactionalId: 't', ...producer, clientTransactionVersion: 2 })
    expect([verify('a', 0), verify('a', 1)]).toEqual(['NONE', 'TRANSACTION_ABORTABLE'])
  })

  test('is aborted after its timeout, and its producer fenced', () => {
    const harness = new TransactionHarness()
    const producer = now(harness.init({ timeoutMs: 5000 }))
    harness.add(producer, a0)
    harness.pass(5000)
    harness.step(shard => shard.abortTimedOut())
    expect(harness.state.state).toBe('Ongoing')
    harness.pass(1)
    harness.step(shard => shard.abortTimedOut())
    expect(harness.state.state).toBe('CompleteAbort')
    expect(harness.markers).toMatchObject([{ committed: false, producerEpoch: 1 }])
    expect(now(harness.add(producer, a0))).toBe('PRODUCER_FENCED')
  })
})

describe('EndTxn before transactions v2', () => {
  test('a repetition finds the transaction prepared, then complete; the opposite is an invalid state', () => {
    const harness = new TransactionHarness(0)
    const producer = now(harness.init())
    harness.add(producer, a0)
    harness.holdMarkers = true
    expect(now(harness.end(producer, true))).toEqual({ error: 'NONE', producerId: -1n, producerEpoch: -1 })
    expect(now(harness.end(producer, true)).error).toBe('CONCURRENT_TRANSACTIONS')
    harness.release()
    expect(now(harness.end(producer, true)).error).toBe('NONE')
    expect(now(harness.end(producer, false)).error).toBe('INVALID_TXN_STATE')
  })

  test('what has not begun cannot be ended', () => {
    const harness = new TransactionHarness(0)
    const producer = now(harness.init())
    expect(now(harness.end(producer, true)).error).toBe('INVALID_TXN_STATE')
    expect(now(harness.end(producer, false)).error).toBe('INVALID_TXN_STATE')
  })
})

describe('EndTxn of transactions v2', () => {
  test('raises the epoch, and a repetition with the former epoch gets the same answer', () => {
    const harness = new TransactionHarness()
    const producer = now(harness.init())
    harness.add(producer, a0)
    const ended = now(harness.end(producer, true))
    expect(ended).toEqual({ error: 'NONE', producerId: 100n, producerEpoch: 1 })
    expect(now(harness.end(producer, true))).toEqual(ended)
    expect(now(harness.end(producer, false)).error).toBe('INVALID_TXN_STATE')
    expect(now(harness.add(producer, a0))).toBe('PRODUCER_FENCED')
    expect(now(harness.add(ended, a0))).toBe('NONE')
  })

  test('a transaction that had not begun may be aborted but not committed', () => {
    const harness = new TransactionHarness()
    const producer = now(harness.init())
    expect(now(harness.end(producer, true)).error).toBe('INVALID_TXN_STATE')
    const aborted = now(harness.end(producer, false))
    expect(aborted).toMatchObject({ error: 'NONE', producerEpoch: 1 })
    expect(now(harness.end(aborted, true)).error).toBe('INVALID_TXN_STATE')
    expect(now(harness.end(aborted, false))).toMatchObject({ error: 'NONE', producerEpoch: 2 })
    expect(harness.markers).toEqual([])
  })

  test('the last epoch brings a new producer id, and the repetition of the last request hears of it', () => {
    const harness = new TransactionHarness()
    const { producerId } = now(harness.init())
    harness.log.push(used(harness, maxEpoch - 1))
    harness.failOver()
    const last = { producerId, producerEpoch: maxEpoch - 1 }
    expect(now(harness.add(last, a0))).toBe('NONE')
    const ended = now(harness.end(last, true))
    expect(ended).toEqual({ error: 'NONE', producerId: 101n, producerEpoch: 0 })
    expect(harness.markers).toMatchObject([{ producerId, producerEpoch: maxEpoch }])
    expect(now(harness.end(last, true))).toEqual(ended)
    expect(now(harness.add(ended, a0))).toBe('NONE')
  })

  test('the new producer id survives a failover between the outcome and the last marker', () => {
    const harness = new TransactionHarness()
    const { producerId } = now(harness.init())
    harness.log.push(used(harness, maxEpoch - 1))
    harness.failOver()
    harness.add({ producerId, producerEpoch: maxEpoch - 1 }, a0)
    harness.holdMarkers = true
    expect(now(harness.end({ producerId, producerEpoch: maxEpoch - 1 }, true)).producerId).toBe(101n)
    harness.holdMarkers = false
    harness.failOver()
    expect(harness.state).toMatchObject({ state: 'CompleteCommit', producerId: 101n, producerEpoch: 0 })
  })

  test('InitProducerId replaces an id whose epochs are used up', () => {
    const harness = new TransactionHarness(0)
    const { producerId } = now(harness.init())
    harness.log.push(used(harness, maxEpoch - 1))
    harness.failOver()
    const last = { producerId, producerEpoch: maxEpoch - 1 }
    expect(now(harness.init({ expected: last }))).toEqual({ error: 'NONE', producerId: 101n, producerEpoch: 0 })
    expect(now(harness.init({ expected: last }))).toMatchObject({ error: 'NONE', producerId: 101n, producerEpoch: 0 })
  })
})

/** A record that says the id has come to this epoch. */
function used(harness: TransactionHarness, producerEpoch: number) {
  const last = harness.log.at(-1)!
  const { value } = decodeTransaction(last.key, last.value)!
  return encodeTransaction('t', { ...value!, producerEpoch }, harness.transactionVersion)
}

describe('markers', () => {
  function prepared(harness: TransactionHarness) {
    const producer = now(harness.init())
    harness.add(producer, a0, a1, b0)
    return producer
  }

  test('are sent again for the partitions that did not take them', () => {
    const harness = new TransactionHarness()
    const producer = prepared(harness)
    const left = new Set(['a/1', 'b/0'])
    harness.markerOutcome = (topic, partition) =>
      left.delete(`${topic}/${partition}`) ? 'NOT_LEADER_OR_FOLLOWER' : 'NONE'
    harness.end(producer, true)
    expect(harness.markers.map(({ partitions, delayMs }) => ({ partitions, delayMs }))).toEqual([
      {
        partitions: new Map([
          ['a', new Set([0, 1])],
          ['b', new Set([0])],
        ]),
        delayMs: 0,
      },
      {
        partitions: new Map([
          ['a', new Set([1])],
          ['b', new Set([0])],
        ]),
        delayMs: 100,
      },
    ])
    expect(harness.state.state).toBe('CompleteCommit')
  })

  test('of partitions that were deleted are not needed', () => {
    const harness = new TransactionHarness()
    const producer = prepared(harness)
    harness.markerOutcome = topic => (topic === 'a' ? 'GONE' : 'NONE')
    harness.end(producer, true)
    expect(harness.state.state).toBe('CompleteCommit')
    expect(harness.markers).toHaveLength(1)
  })

  test('are sent no more once another coordinator has fenced this one', () => {
    const harness = new TransactionHarness()
    const producer = prepared(harness)
    harness.markerOutcome = () => 'TRANSACTION_COORDINATOR_FENCED'
    harness.end(producer, true)
    expect(harness.markers).toHaveLength(1)
    expect(harness.state.state).toBe('PrepareCommit')
  })

  test('the completion is written again until it is committed', () => {
    const harness = new TransactionHarness()
    const producer = prepared(harness)
    harness.holdMarkers = true
    harness.end(producer, true)
    harness.holdRecords = true
    harness.answerMarkers(harness.heldMarkers.pop()!)
    harness.commit(harness.heldRecords.pop()!, 'COORDINATOR_NOT_AVAILABLE')
    expect(harness.state.state).toBe('PrepareCommit')
    harness.holdRecords = false
    harness.pass(100)
    expect(harness.state.state).toBe('CompleteCommit')
  })
})

describe('failover', () => {
  const outcomes = { true: 'CompleteCommit', false: 'CompleteAbort' } as const

  test.each([true, false])('a prepared transaction ends as it was decided (committed: %s)', committed => {
    const harness = new TransactionHarness()
    const producer = now(harness.init())
    harness.add(producer, a0, b0)
    harness.holdMarkers = true
    harness.end(producer, committed)
    harness.holdMarkers = false
    harness.failOver()
    expect(harness.markers).toHaveLength(2)
    expect(harness.markers.at(-1)).toMatchObject({ committed, coordinatorEpoch: 1, producerEpoch: 1 })
    expect(harness.state.state).toBe(outcomes[`${committed}`])
    expect(now(harness.end(producer, committed))).toMatchObject({ error: 'NONE', producerEpoch: 1 })
  })

  test('a prepared transaction whose outcome may be lost yet waits until that is certain', () => {
    const harness = new TransactionHarness()
    const producer = now(harness.init())
    harness.add(producer, a0)
    harness.holdMarkers = true
    harness.end(producer, true)
    harness.holdMarkers = false
    const before = harness.markers.length
    harness.failOver(false)
    expect(harness.markers).toHaveLength(before)
    // Nobody else may end it, nor begin anew.
    expect(now(harness.end(producer, true)).error).toBe('CONCURRENT_TRANSACTIONS')
    expect(now(harness.init()).error).toBe('CONCURRENT_TRANSACTIONS')
    harness.step(shard => shard.tailCommitted())
    expect(harness.markers.at(-1)).toMatchObject({ committed: true, coordinatorEpoch: 1 })
    expect(harness.state.state).toBe('CompleteCommit')
  })

  test('an ongoing transaction goes on, and still times out', () => {
    const harness = new TransactionHarness()
    const producer = now(harness.init({ timeoutMs: 1000 }))
    harness.add(producer, a0)
    harness.failOver()
    expect(now(harness.add(producer, a1))).toBe('NONE')
    harness.pass(1001)
    harness.step(shard => shard.abortTimedOut())
    expect(harness.state.state).toBe('CompleteAbort')
  })
})

describe('expiry', () => {
  test('an id that nobody used for transactional.id.expiration.ms is forgotten, in the log too', () => {
    const harness = new TransactionHarness()
    const producer = now(harness.init())
    harness.pass(604_799_999)
    harness.step(shard => shard.expireIds())
    expect(harness.shard.describe('t')).toBeDefined()
    harness.pass(1)
    harness.step(shard => shard.expireIds())
    expect(harness.shard.describe('t')).toBeUndefined()
    harness.failOver()
    expect(harness.shard.describe('t')).toBeUndefined()
    expect(now(harness.add(producer, a0))).toBe('INVALID_PRODUCER_ID_MAPPING')
  })

  test('an id with an ongoing transaction is kept', () => {
    const harness = new TransactionHarness()
    harness.add(now(harness.init()), a0)
    harness.pass(2 * 604_800_000)
    harness.step(shard => shard.expireIds())
    expect(harness.state.state).toBe('Ongoing')
  })

  test('many ids are forgotten in several appends', () => {
    const harness = new TransactionHarness()
    for (let index = 0; index < 1000; index += 1) harness.init({ transactionalId: `id-${index}` })
    harness.pass(604_800_000)
    harness.holdRecords = true
    harness.step(shard => shard.expireIds())
    expect(harness.heldRecords.length).toBeGreaterThan(1)
    harness.release()
    expect(harness.shard.list()).toEqual([])
  })
})
