import { describe, expect, test } from 'vitest'
import { toHistory } from '#scripts/observe/history.ts'
import { unknown } from '#scripts/observe/model.ts'
import { log, observation, partition } from './sample.ts'

const silence = unknown('broker 1 gave no answer within 1000 ms')
const recorded = (scene: Parameters<typeof observation>[0]) => toHistory({ ...observation(scene), changes: [] })

describe('an observation in a history', () => {
  test('has what a report draws: brokers, controller, leaders, in-sync sets, offsets, groups, transactions', () => {
    const scene = {
      partition: partition({ isr: [1, 2], elr: [3], lastStableOffset: 4, logStartOffset: 2 }),
      fenced: [3],
    }
    expect(recorded(scene)).toEqual({
      brokers: [1, 2],
      reachable: [1, 2, 3],
      fenced: [3],
      controller: 1,
      controllerEpoch: 5,
      partitions: {
        'orders-0': {
          leader: 1,
          leaderEpoch: 3,
          replicas: [1, 2, 3],
          isr: [1, 2],
          eligible: [3],
          highWatermark: 10,
          lastStableOffset: 4,
          logStartOffset: 2,
          logEndOffsets: { '1': 10, '2': 10, '3': 10 },
        },
      },
      groups: { readers: { type: 'consumer', state: 'Stable', epoch: 4, members: { 'm-1': ['orders-0'] }, lag: 3 } },
      transactions: { payer: { state: 'Ongoing', producerId: '4000', producerEpoch: 2, partitions: ['orders-0'] } },
    })
  })

  test('leaves out what nobody told', () => {
    const blind = partition({ highWatermark: silence, lastStableOffset: silence, logs: { '1': silence, '2': log(9) } })
    const seen = recorded({ partition: blind, silent: [1], quorum: silence, group: silence, transaction: silence })
    expect(seen).toMatchObject({ reachable: [2, 3], controller: -1, groups: {}, transactions: {} })
    expect(seen.partitions['orders-0']).toMatchObject({ highWatermark: null, logEndOffsets: { '2': 9 } })
    expect(seen).not.toHaveProperty('controllerEpoch')
    expect(recorded({ partition: silence }).partitions).toEqual({})
  })
})
