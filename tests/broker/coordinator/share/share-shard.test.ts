import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import type { CoordinatorRecord, PersistEffect } from '#broker/coordinator/runtime/effects.ts'
import { decodeShareRecord } from '#broker/coordinator/share/share-records.ts'
import {
  ShareShard,
  type Refused,
  type ShareState,
  type ShareStateUpdate,
} from '#broker/coordinator/share/share-shard.ts'
import type { ErrorName } from '#broker/protocol/errors.ts'

const key = { groupId: 'g', topicId: 'bFq4VwYSQUyl4Vr8n1uVsA', partition: 0 }
const batch = (firstOffset: number, lastOffset: number, deliveryState = 2, deliveryCount = 1) => ({
  firstOffset,
  lastOffset,
  deliveryState,
  deliveryCount,
})

class World {
  shard = this.#make()
  nowMs = 1_000_000
  readonly log: CoordinatorRecord[] = []
  hold = false
  readonly held: PersistEffect[] = []

  #make(): ShareShard {
    return new ShareShard({
      updatesPerSnapshot: 3,
      coldSnapshotIntervalMs: 1000,
      hasPartition: (topicId, partition) => topicId === key.topicId && partition < 2,
    })
  }

  reload(): void {
    this.shard = this.#make()
    this.log.forEach((record, offset) => this.shard.replay(record.key, record.value, { offset }))
  }

  step(run: (shard: ShareShard) => void): void {
    this.shard.at(this.nowMs)
    run(this.shard)
    for (const effect of this.shard.takeEffects()) {
      if (effect.kind === 'reply') effect.send()
      else if (effect.kind === 'persist') this.held.push(effect)
    }
    if (!this.hold) for (const effect of this.held.splice(0)) this.finish(effect, 'NONE')
  }

  finish(effect: PersistEffect, outcome: ErrorName): void {
    if (outcome === 'NONE') this.log.push(...effect.records)
    this.step(() => effect.then(outcome, this.nowMs))
  }

  ask<Answer>(run: (shard: ShareShard, ticket: { resolve: (answer: Answer) => void }) => void): Answer | undefined {
    let answer: Answer | undefined
    this.step(shard => run(shard, { resolve: given => void (answer = given) }))
    return answer
  }

  initialize(stateEpoch = 0, startOffset = 0): Refused | undefined {
    return this.ask<Refused>((shard, ticket) => shard.initialize(key, { stateEpoch, startOffset }, ticket))
  }

  read(leaderEpoch: number): Refused | ShareState | undefined {
    return this.ask<Refused | ShareState>((shard, ticket) => shard.read(key, leaderEpoch, ticket))
  }

  write(update: Partial<ShareStateUpdate>): ErrorName | undefined {
    const whole = {
      stateEpoch: 0,
      leaderEpoch: 1,
      startOffset: 0,
      deliveryCompleteCount: 0,
      stateBatches: [],
      ...update,
    }
    return this.ask<Refused>((shard, ticket) => shard.write(key, whole, ticket))?.error
  }

  kinds(): string[] {
    return this.log.map(record => decodeShareRecord(record.key, record.value)?.kind ?? 'unknown')
  }
}

describe('the state of a share partition', () => {
  it('must be made before it is read or written', () => {
    const world = new World()
    expect(world.write({})).toBe('INVALID_REQUEST')
    expect(world.read(1)).toMatchObject({ error: 'INVALID_REQUEST' })
    expect(world.shard.summary(key)).toEqual({
      stateEpoch: 0,
      leaderEpoch: 0,
      startOffset: -1,
      deliveryCompleteCount: -1,
    })
  })

  it('is refused to former leaders once a new one has read it', () => {
    const world = new World()
    world.initialize()
    expect(world.read(5)).toEqual({ stateEpoch: 0, startOffset: 0, stateBatches: [] })
    expect(world.write({ leaderEpoch: 4 })).toBe('FENCED_LEADER_EPOCH')
    expect(world.read(4)).toMatchObject({ error: 'FENCED_LEADER_EPOCH' })
    world.reload()
    expect(world.write({ leaderEpoch: 4 })).toBe('FENCED_LEADER_EPOCH')
    expect(world.write({ leaderEpoch: 5 })).toBe('NONE')
  })

  it('is refused to leaders that do not know that it was set anew', () => {
    const world = new World()
    world.initialize(0, 0)
    world.write({ stateBatches: [batch(0, 9)] })
    world.initialize(1, 100)
    expect(world.write({ stateEpoch: 0 })).toBe('FENCED_STATE_EPOCH')
    expect(world.initialize(0, 7)).toEqual({ error: 'FENCED_STATE_EPOCH' })
    expect(world.read(1)).toEqual({ stateEpoch: 1, startOffset: 100, stateBatches: [] })
  })

  it('is not there for partitions that do not exist', () => {
    const world = new World()
    const away = { ...key, partition: 7 }
    const answer = world.ask<Refused>((shard, ticket) =>
      shard.initialize(away, { stateEpoch: 0, startOffset: 0 }, ticket),
    )
    expect(answer).toEqual({ error: 'UNKNOWN_TOPIC_OR_PARTITION' })
  })

  it('is written as a snapshot after so many updates', () => {
    const world = new World()
    world.initialize()
    for (let offset = 0; offset < 5; offset++) world.write({ stateBatches: [batch(offset, offset)] })
    expect(world.kinds()).toEqual(['snapshot', 'update', 'update', 'update', 'snapshot', 'update'])
    world.reload()
    expect(world.shard.pruneOffset).toBe(4)
    expect(world.read(-1)).toEqual({ stateEpoch: 0, startOffset: 0, stateBatches: [batch(0, 4)] })
  })

  it('is gone after it is deleted, also for a new leader', () => {
    const world = new World()
    world.initialize()
    expect(world.ask<Refused>((shard, ticket) => shard.remove(key, ticket))).toEqual({ error: 'NONE' })
    expect(world.read(1)).toMatchObject({ error: 'INVALID_REQUEST' })
    world.reload()
    expect(world.read(1)).toMatchObject({ error: 'INVALID_REQUEST' })
    expect(world.ask<Refused>((shard, ticket) => shard.remove(key, ticket))).toEqual({ error: 'NONE' })
  })

  it('is summed up as far as it is committed', () => {
    const world = new World()
    world.initialize()
    world.hold = true
    world.write({ startOffset: 5, deliveryCompleteCount: 2 })
    expect(world.shard.summary(key)).toMatchObject({ startOffset: 0, deliveryCompleteCount: 0 })
    world.hold = false
    world.step(() => undefined)
    expect(world.shard.summary(key)).toMatchObject({ startOffset: 5, deliveryCompleteCount: 2 })
  })

  it('is written anew when nobody writes it, so that older records can go', () => {
    const world = new World()
    world.initialize()
    world.step(shard => shard.snapshotCold())
    expect(world.log).toHaveLength(1)
    world.nowMs += 1000
    world.step(shard => shard.snapshotCold())
    expect(world.kinds()).toEqual(['snapshot', 'snapshot'])
  })

  test('survives a reload whatever was written', () => {
    const update = fc.record({
      startOffset: fc.integer({ min: -1, max: 20 }),
      deliveryCompleteCount: fc.nat(5),
      stateBatches: fc.array(
        fc
          .tuple(fc.nat(30), fc.nat(5), fc.constantFrom(0, 2, 4), fc.integer({ min: 1, max: 3 }))
          .map(([first, length, state, count]) => batch(first, first + length, state, count)),
        { maxLength: 4 },
      ),
    })
    fc.assert(
      fc.property(fc.array(update, { maxLength: 12 }), updates => {
        const world = new World()
        world.initialize(0, -1)
        for (const each of updates) expect(world.write(each)).toBe('NONE')
        const before = [world.read(-1), world.shard.summary(key)]
        world.reload()
        expect([world.read(-1), world.shard.summary(key)]).toEqual(before)
      }),
    )
  })
})
