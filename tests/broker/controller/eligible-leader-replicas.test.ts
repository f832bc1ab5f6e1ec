/** KIP-966, part 1: sentences of the KIP as scenarios. */
import { describe, expect, it } from 'vitest'
import { incrementalAlterConfigs } from '#broker/controller/alter-configs.ts'
import { assignDirectories, electLeaders } from '#broker/controller/change-topics.ts'
import { withElrSafety } from '#broker/controller/elr-settings.ts'
import { unregisterBroker } from '#broker/controller/register-broker.ts'
import { updateFeatures } from '#broker/controller/update-features.ts'
import { errorCode } from '#broker/protocol/errors.ts'
import { Harness, uuidOf } from './harness.ts'

/** Brokers 1, 2 and 3 with a topic that wants two in sync, led by 1. */
function cluster(configs: Readonly<Record<string, string>> = {}): Harness {
  const harness = new Harness({ elr: true })
  harness.start(1, 2, 3)
  harness.createTopic('orders', [[1, 2, 3]], { 'min.insync.replicas': '2', ...configs })
  return harness
}

/** Back after its session, with or without what was in its page cache. */
function comeBack(harness: Harness, id: number, cleanly: boolean): void {
  const previousBrokerEpoch = cleanly ? harness.epochOf(id) : -1
  harness.register(id, { incarnation: `back${harness.nowMs}`, previousBrokerEpoch })
  harness.heartbeat(id)
}

const sets = (harness: Harness) => {
  const { leader, isr, elr, lastKnownElr } = harness.partition('orders')
  return { leader, isr, elr, lastKnownElr }
}

describe('eligible leader replicas', () => {
  it('are those that leave an ISR below min.insync.replicas, and none when it is large enough', () => {
    const harness = cluster()
    harness.beat(11_000, 1, 2)
    expect(sets(harness)).toEqual({ leader: 1, isr: [1, 2], elr: [], lastKnownElr: [] })
    harness.beat(11_000, 1)
    expect(sets(harness)).toEqual({ leader: 1, isr: [1], elr: [2], lastKnownElr: [] })
    comeBack(harness, 3, true)
    harness.alterIsr(harness.isrProposal('orders', [1, 3]))
    expect(sets(harness)).toEqual({ leader: 1, isr: [1, 3], elr: [], lastKnownElr: [] })
  })

  it('lead when nobody is in sync: the ISR is then that leader alone', () => {
    const harness = cluster()
    harness.beat(11_000, 1, 2)
    harness.beat(11_000, 1)
    harness.beat(11_000)
    expect(sets(harness)).toEqual({ leader: -1, isr: [], elr: [1, 2], lastKnownElr: [1] })
    comeBack(harness, 3, true)
    expect(sets(harness).leader).toBe(-1)
    comeBack(harness, 2, true)
    expect(sets(harness)).toEqual({ leader: 2, isr: [2], elr: [1], lastKnownElr: [] })
    expect(harness.partition('orders').leaderRecoveryState).toBe(0)
  })

  it('are no more eligible after an unclean shutdown: KIP-966’s sequence ends with the one that has the records', () => {
    const harness = cluster()
    harness.beat(11_000, 2, 3)
    harness.beat(11_000, 3)
    expect(sets(harness)).toEqual({ leader: 3, isr: [3], elr: [2], lastKnownElr: [] })
    // 3 loses its page cache. What it alone was in sync with was never committed, and 2 has all that was.
    harness.register(3, { incarnation: 'second' })
    expect(sets(harness)).toEqual({ leader: -1, isr: [], elr: [2], lastKnownElr: [3] })
    harness.heartbeat(3)
    expect(sets(harness).leader).toBe(-1)
    comeBack(harness, 2, true)
    expect(sets(harness)).toEqual({ leader: 2, isr: [2], elr: [], lastKnownElr: [] })
  })

  it('empty: the last known leader recovers the partition, as an unclean election', () => {
    const harness = cluster()
    harness.beat(11_000, 1, 3)
    harness.beat(11_000, 1)
    comeBack(harness, 3, false)
    expect(sets(harness)).toEqual({ leader: 1, isr: [1], elr: [], lastKnownElr: [] })
    harness.register(1, { incarnation: 'second' })
    expect(sets(harness)).toEqual({ leader: -1, isr: [], elr: [], lastKnownElr: [1] })
    harness.heartbeat(1)
    expect(sets(harness)).toEqual({ leader: 1, isr: [1], elr: [], lastKnownElr: [] })
    expect(harness.partition('orders').leaderRecoveryState).toBe(1)
  })

  it('empty, and the disk of the last known leader was replaced: its empty log never leads', () => {
    const harness = cluster()
    harness.beat(11_000, 1, 3)
    harness.beat(11_000, 1)
    comeBack(harness, 3, false)
    harness.beat(11_000, 3)
    expect(sets(harness)).toEqual({ leader: -1, isr: [], elr: [1], lastKnownElr: [1] })
    harness.register(1, { incarnation: 'second', directories: ['fresh'] })
    harness.heartbeat(1)
    expect(sets(harness)).toEqual({ leader: -1, isr: [], elr: [], lastKnownElr: [1] })
    const topicId = harness.image.topicsByName.get('orders')!.id
    harness.submit(assignDirectories, {
      brokerId: 1,
      brokerEpoch: harness.epochOf(1),
      directories: [{ id: uuidOf('fresh'), topics: [{ topicId, partitions: [{ partitionIndex: 0 }] }] }],
    })
    expect(sets(harness).leader).toBe(-1)
  })

  it('give way to a live replica when none of them lives and an operator asks for an unclean election', () => {
    const harness = cluster()
    harness.beat(11_000, 1, 2)
    harness.beat(11_000, 1)
    harness.beat(11_000)
    comeBack(harness, 3, true)
    const unclean = { electionType: 1, topicPartitions: [{ topic: 'orders', partitions: [0] }] }
    harness.submit(electLeaders, unclean)
    expect(sets(harness)).toEqual({ leader: 3, isr: [3], elr: [], lastKnownElr: [] })
    expect(harness.partition('orders').leaderRecoveryState).toBe(1)
  })

  it('do not outlive their registration', () => {
    const harness = cluster()
    harness.beat(11_000, 1, 2)
    harness.beat(11_000, 1)
    harness.submit(unregisterBroker, { brokerId: 2 })
    harness.register(2, { incarnation: 'second', previousBrokerEpoch: 7 })
    expect(sets(harness)).toEqual({ leader: 1, isr: [1], elr: [], lastKnownElr: [] })
  })
})

describe('min.insync.replicas with eligible leader replicas', () => {
  const alter = (harness: Harness, resourceType: number, resourceName: string, value: string | null) =>
    harness.submit(incrementalAlterConfigs, {
      validateOnly: false,
      resources: [
        {
          resourceType,
          resourceName,
          configs: [{ name: 'min.insync.replicas', configOperation: value === null ? 1 : 0, value }],
        },
      ],
    }).responses[0]

  it('may not differ from broker to broker, nor go away for all', () => {
    const harness = cluster()
    expect(alter(harness, 4, '1', '1')).toMatchObject({
      errorCode: errorCode('INVALID_CONFIG'),
      errorMessage: 'Broker-level min.insync.replicas cannot be altered while ELR is enabled.',
    })
    expect(alter(harness, 4, '', '2')).toMatchObject({ errorCode: 0 })
    expect(alter(harness, 4, '', null)).toMatchObject({ errorCode: errorCode('INVALID_CONFIG') })
  })

  it('forgets the eligible replicas when it changes', () => {
    const harness = cluster()
    harness.beat(11_000, 1, 2)
    harness.beat(11_000, 1)
    expect(alter(harness, 2, 'orders', '3')).toMatchObject({ errorCode: 0 })
    expect(harness.log.at(-1)).toEqual({ type: 'ClearElr', topicName: 'orders' })
    expect(sets(harness)).toEqual({ leader: 1, isr: [1], elr: [], lastKnownElr: [] })
  })

  it('gets one value for all when the feature is turned on', () => {
    const harness = new Harness({ config: { 'min.insync.replicas': '2' } })
    harness.start(1, 2, 3)
    alter(harness, 4, '3', '1')
    const featureUpdates = [{ feature: 'eligible.leader.replicas.version', maxVersionLevel: 1, upgradeType: 1 }]
    expect(harness.submit(updateFeatures, { featureUpdates, validateOnly: false }).failure).toBeUndefined()
    expect(harness.image.config('broker', '').get('min.insync.replicas')).toBe('2')
    expect(harness.image.config('broker', '3').get('min.insync.replicas')).toBeUndefined()
  })
})

describe('a cluster that begins with eligible leader replicas, as kafka-storage formats it', () => {
  const on = { type: 'FeatureLevel', name: 'eligible.leader.replicas.version', featureLevel: 1 } as const
  const common = (value: string) =>
    ({ type: 'Config', resourceType: 4, resourceName: '', name: 'min.insync.replicas', value }) as const

  it('has one min.insync.replicas for all brokers from the first record on', () => {
    expect(withElrSafety([on], { 'min.insync.replicas': 2 })).toEqual([on, common('2')])
  })

  it('keeps the one that it was formatted with; without them none is written', () => {
    expect(withElrSafety([on, common('3')], { 'min.insync.replicas': 2 })).toEqual([on, common('3')])
    const off = [{ ...on, featureLevel: 0 }]
    expect(withElrSafety(off, { 'min.insync.replicas': 2 })).toEqual(off)
  })
})
