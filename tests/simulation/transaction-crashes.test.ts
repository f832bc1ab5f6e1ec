/**
 * The coordinator of a transaction crashes right before or right after each of its log writes, one after the other; then the transaction
 * must come to the end that its client was told, on every partition, and the next one of the same id must go on.
 */
import { describe, expect, test } from 'vitest'
import type { Node } from '#broker/node.ts'
import { crashAt } from '#broker/environment/faulty/crash-at.ts'
import { partitionOf } from '#broker/coordinator/runtime/java-hash.ts'
import { decodeTransaction } from '#broker/coordinator/transactions/transaction-records.ts'
import { readRecords } from '#broker/protocol/records/batch-read.ts'
import { batches } from '#broker/protocol/records/batch.ts'
import { TransactionalProducer } from '#simulator/actors/transactional-producer.ts'
import {
  onCluster,
  partitions,
  readAll,
  statePartitions,
  stateTopic,
  topic,
  type Scene,
} from './transactional-scene.ts'

const group = 'readers'

/** One transaction over all partitions, and the offset of a group. */
async function transaction(producer: TransactionalProducer, round: number, committed: boolean): Promise<void> {
  for (const partition of partitions) await producer.send(topic, partition, `${round}`)
  await producer.sendOffset(group, topic, 0, round)
  await producer.end(committed)
}

/** The states of a transactional id, in the order in which its coordinator wrote them. */
function statesInLog({ cluster }: Scene, transactionalId: string): string[] {
  const partition = partitionOf(transactionalId, statePartitions)
  for (const member of cluster.members) {
    const { broker } = (member.broker as Node | undefined) ?? {}
    if (broker?.replicas.leaderEpoch({ topic: stateTopic, partition }) === undefined) continue
    const log = broker.replicas.log({ topic: stateTopic, partition })!
    const read = log.read(log.logStartOffset, {
      maxBytes: 10_000_000,
      untilOffset: log.logEndOffset,
      atLeastOneBatch: true,
    })
    if ('refused' in read) throw new Error(read.refused)
    return [...batches(read.records)]
      .filter(batch => !batch.isControl)
      .flatMap(batch => readRecords(batch))
      .map(({ key, value }) => decodeTransaction(key!, value))
      .filter(record => record?.transactionalId === transactionalId)
      .map(record => record?.value?.state ?? 'gone')
  }
  throw new Error('nobody leads the transactions')
}

const decided = { PrepareCommit: 'CompleteCommit', PrepareAbort: 'CompleteAbort' } as const

/** Whatever was prepared came to that end, and nothing else happened in between. */
function checkOrder(states: readonly string[]): void {
  for (const [index, state] of states.entries()) {
    if (state !== 'PrepareCommit' && state !== 'PrepareAbort') continue
    const next = states.slice(index + 1).find(each => each !== state)
    expect([state, next]).toEqual([state, decided[state]])
  }
}

/** Crashes the coordinator of the id at its nth write of the transaction log. @returns whether it came so far */
async function crashDuring(
  { world, cluster, wire }: Scene,
  point: { readonly transactionalId: string; readonly nth: number; readonly when: 'before' | 'after' },
  run: () => Promise<void>,
): Promise<boolean> {
  const { id } = await wire.coordinator(point.transactionalId, 1)
  const member = cluster.member(id)
  const path = new RegExp(`${stateTopic}-${partitionOf(point.transactionalId, statePartitions)}/.*\\.log$`)
  const fault = member.machine.faults.add(crashAt({ operations: ['write'], path, nth: point.nth, when: point.when }))
  const progress = { crashed: false, isOver: false }
  const restart = async (): Promise<void> => {
    while (member.isUp && !progress.isOver) await world.sleep(20)
    if (member.isUp) return
    progress.crashed = true
    await world.sleep(1500)
    member.machine.faults.heal(fault)
    member.start()
  }
  const restarted = restart()
  await run()
  progress.isOver = true
  await restarted
  if (!progress.crashed) member.machine.faults.heal(fault)
  await cluster.waitReady({ timeoutMs: 60_000 })
  return progress.crashed
}

/**
 * Every partition shows the records of committed transactions, each once. A new leader may know of less for a moment, never of something
 * else.
 */
async function checkPartitions(scene: Scene, expected: readonly string[]): Promise<void> {
  await readAll(scene, values => {
    expect(values).toEqual(expected.slice(0, values.length))
    return values.length === expected.length
  })
}

async function settled({ world, wire }: Scene, transactionalId: string): Promise<string> {
  const deadlineMs = world.nowMs + 30_000
  for (;;) {
    const state = await wire.transactionState(transactionalId)
    if (!['Ongoing', 'PrepareCommit', 'PrepareAbort'].includes(state)) return state
    if (world.nowMs > deadlineMs) throw new Error(`${transactionalId} stays ${state}`)
    await world.sleep(100)
  }
}

describe.each([2, 0] as const)('transactions v%i', version => {
  test.each(['before', 'after'] as const)(
    'a crash %s every log write of the coordinator changes no outcome',
    { timeout: 300_000 },
    async when => {
      let points = 0
      await onCluster(version + 1, async scene => {
        const expected: string[] = []
        let round = 0
        let lastOffset = -1
        for (const committed of [true, false]) {
          for (let nth = 1; ; nth++) {
            round += 1
            const transactionalId = `t-${round}`
            const producer = new TransactionalProducer(scene.wire, transactionalId, version)
            const crashed = await crashDuring(scene, { transactionalId, nth, when }, async () => {
              await producer.init()
              await transaction(producer, round, committed)
              await settled(scene, transactionalId)
            })
            if (committed) {
              expected.push(`${round}`)
              lastOffset = round
            }
            expect(await settled(scene, transactionalId)).toBe(committed ? 'CompleteCommit' : 'CompleteAbort')
            await checkPartitions(scene, expected)
            expect(await scene.wire.committedOffset(group, topic, 0)).toBe(lastOffset)
            checkOrder(statesInLog(scene, transactionalId))
            if (!crashed) break
            points += 1
          }
        }
      })
      // Init, the partitions, the offsets, the outcome, the completion; twice.
      expect(points).toBeGreaterThanOrEqual(12)
    },
  )
})
