/** One life of a cluster under the steps that swarm.test.ts draws, with the invariants that must hold all the time. */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import type { PartitionLog } from '#broker/log/log.ts'
import { allRecords } from '#broker/protocol/records/batch-read.ts'
import { TestCluster } from './test-cluster.ts'

const topic = 'events'
const ids = [1, 2, 3]

const broker = fc.constantFrom(...ids)
export const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('produce' as const), acks: fc.constantFrom(-1, -1, 1) }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 700 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('waitLong' as const), ms: fc.constant(20_000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('kill' as const), id: broker, isNoticed: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('restart' as const), id: broker }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const), from: broker, to: broker }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('heal' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('isolate' as const), id: broker }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('lead' as const), id: broker }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('produceToZombie' as const), id: broker }) },
)
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

function bytesBelow(log: PartitionLog, untilOffset: number): Buffer {
  const read = log.read(0, { maxBytes: 1 << 24, untilOffset, atLeastOneBatch: true })
  return 'records' in read ? Buffer.from(read.records) : Buffer.alloc(0)
}

function valuesByOffset(log: PartitionLog): Map<number, string> {
  const values = new Map<number, string>()
  for (const record of allRecords(bytesBelow(log, log.logEndOffset))) {
    values.set(record.offset, String(record.value))
  }
  return values
}

export class SwarmRun {
  readonly cluster = new TestCluster(3, { 'replica.lag.time.max.ms': '10000' })
  readonly acked = new Map<number, string>()
  private readonly pending: Promise<void>[] = []
  private readonly highest = new Map<string, number>()
  private nextValue = 0

  constructor() {
    this.cluster.createTopic(topic, ids, { 'min.insync.replicas': '2' })
  }

  async perform(step: Step): Promise<void> {
    const { cluster } = this
    switch (step.kind) {
      case 'produce':
        this.produce(cluster.partition(topic).leader, step.acks)
        break
      case 'produceToZombie':
        this.produce(step.id, -1)
        this.produce(step.id, 1)
        break
      case 'wait':
      case 'waitLong':
        for (let ms = 0; ms < step.ms; ms += 100) {
          await cluster.time.run(Math.min(100, step.ms - ms))
          this.checkHighWatermarks()
        }
        break
      case 'kill':
        if (cluster.broker(step.id).isAlive) cluster.broker(step.id).kill()
        if (step.isNoticed) this.notice(step.id)
        break
      case 'restart':
        if (!cluster.broker(step.id).isAlive) {
          this.notice(step.id)
          cluster.restart(step.id)
        }
        break
      case 'cut':
        if (step.from !== step.to) cluster.cut.add(`${step.from}>${step.to}`)
        break
      case 'heal':
        this.heal()
        break
      case 'isolate':
        if (cluster.isolated.size === 0 && cluster.broker(step.id).isAlive) {
          cluster.isolated.add(step.id)
          cluster.fence(step.id)
        }
        break
      case 'lead':
        if (cluster.partition(topic).isr.includes(step.id) && cluster.image.isBrokerAlive(step.id)) {
          cluster.change(topic, { leader: step.id })
        }
        break
    }
    await cluster.time.settle()
  }

  private notice(id: number): void {
    if (this.cluster.image.isBrokerAlive(id)) this.cluster.fence(id)
  }

  private heal(): void {
    const { cluster } = this
    cluster.cut.clear()
    for (const id of cluster.isolated) {
      cluster.isolated.delete(id)
      if (cluster.broker(id).isAlive) cluster.register(cluster.broker(id))
    }
  }

  private produce(id: number, acks: number): void {
    const target = this.cluster.brokers.get(id)
    if (target?.isAlive !== true) return
    const value = `v${this.nextValue++}`
    this.pending.push(
      target.produce(topic, [value], { acks, timeoutMs: 3000 }).then(answer => {
        if (answer.errorCode === 0 && acks === -1) this.acked.set(answer.baseOffset, value)
      }),
    )
  }

  private alive() {
    return ids
      .map(id => this.cluster.broker(id))
      .filter(each => each.isAlive && typeof each.manager.find(topic, 0) !== 'string')
  }

  private checkHighWatermarks(): void {
    for (const each of this.alive()) {
      const key = `${each.id} in life ${each.generation}`
      const { highWatermark, log } = each.replica(topic)
      assert.ok(highWatermark >= (this.highest.get(key) ?? 0), `the high watermark of ${key} went back`)
      assert.ok(highWatermark <= log.logEndOffset, `the high watermark of ${key} is beyond its log`)
      this.highest.set(key, highWatermark)
    }
  }

  check(): void {
    this.checkHighWatermarks()
    const alive = this.alive()
    for (const one of alive) {
      for (const other of alive) {
        if (one.id >= other.id) continue
        const both = Math.min(one.replica(topic).highWatermark, other.replica(topic).highWatermark)
        const same = bytesBelow(one.replica(topic).log, both).equals(bytesBelow(other.replica(topic).log, both))
        assert.ok(same, `logs of ${one.id} and ${other.id} differ below ${both}`)
      }
    }
    const { isr } = this.cluster.partition(topic)
    for (const each of alive) {
      if (!isr.includes(each.id) || this.cluster.isolated.has(each.id)) continue
      const values = valuesByOffset(each.replica(topic).log)
      for (const [offset, value] of this.acked) {
        assert.equal(
          values.get(offset),
          value,
          `broker ${each.id}, in sync, lacks the acknowledged record at ${offset}`,
        )
      }
    }
  }

  async end(): Promise<void> {
    this.heal()
    for (const id of ids) await this.perform({ kind: 'restart', id })
    for (let second = 0; second < 60; second += 1) {
      await this.cluster.time.run(1000)
      this.check()
    }
    const answer = await this.cluster.until(
      this.cluster.broker(this.cluster.partition(topic).leader).produce(topic, ['end']),
    )
    assert.equal(answer.errorCode, 0)
    await this.cluster.until(Promise.all(this.pending.map(each => Promise.race([each, this.cluster.time.run(1)]))))
    await this.cluster.time.run(2000)
    this.check()
    assert.deepEqual(
      [...this.cluster.partition(topic).isr].sort((a, b) => a - b),
      ids,
    )
    const [first, ...others] = ids.map(id => this.cluster.broker(id).replica(topic))
    for (const replica of others) {
      assert.equal(replica.log.logEndOffset, first!.log.logEndOffset)
      assert.equal(replica.highWatermark, first!.highWatermark)
    }
  }
}
