import { describe, expect, test } from 'vitest'
import { errorCode } from '#broker/protocol/errors.ts'
import { OffsetRequests } from '#scripts/workload/members/offset-requests.ts'
import { PlayedCoordinator, type Answer } from './played-coordinator.ts'

const stale = errorCode('STALE_MEMBER_EPOCH')
const committing = (code: number): Answer => ({ topics: [{ partitions: [{ errorCode: code }] }] })
const fetching = (code: number): Answer => ({
  groups: [{ errorCode: code, topics: [{ partitions: [{ partitionIndex: 2, committedOffset: 7 }] }] }],
})

/** A member of epoch 4, that is told the epochs one after the other when it asks. */
function scene(answers: readonly Answer[], epochs: readonly number[]) {
  const coordinator = new PlayedCoordinator(answers)
  const left = [...epochs]
  let generation = 4
  const membership = {
    get identity() {
      return { memberId: 'member', generation, instanceId: null }
    },
    renew: () => {
      const before = generation
      generation = left.shift() ?? generation
      return Promise.resolve(generation !== before)
    },
  }
  return { coordinator, offsets: new OffsetRequests(coordinator, membership, { topic: 'orders', tellsEpoch: true }) }
}

describe('a request in an epoch that is over', () => {
  test('is made again in the new one: a commit', async () => {
    const { coordinator, offsets } = scene([committing(stale), committing(0)], [5])
    expect(await offsets.commit(new Map([[2, 7]]))).toMatchObject({ code: 'NONE', generation: 5 })
    expect(coordinator.asked).toMatchObject([
      { api: 'OffsetCommit', body: { generationIdOrMemberEpoch: 4 } },
      { api: 'OffsetCommit', body: { generationIdOrMemberEpoch: 5 } },
    ])
  })

  test('is made again in the new one: where to begin', async () => {
    const { coordinator, offsets } = scene([fetching(stale), fetching(0)], [5])
    expect(await offsets.committed([2])).toEqual(new Map([[2, 7]]))
    expect(coordinator.asked.map(({ body }) => body)).toMatchObject([
      { groups: [{ memberEpoch: 4 }] },
      { groups: [{ memberEpoch: 5 }] },
    ])
  })

  test('is not made again when the member has no other epoch', async () => {
    const { offsets } = scene([committing(stale)], [])
    expect(await offsets.commit(new Map([[2, 7]]))).toMatchObject({ code: 'STALE_MEMBER_EPOCH' })
  })

  test('is made again once, and refused for good with the next one', async () => {
    const { offsets } = scene([fetching(stale), fetching(stale)], [5, 6])
    await expect(offsets.committed([2])).rejects.toMatchObject({ code: 'STALE_MEMBER_EPOCH' })
  })

  test('that is refused for something else is not made again', async () => {
    const { offsets } = scene([committing(errorCode('UNKNOWN_MEMBER_ID'))], [5])
    expect(await offsets.commit(new Map([[2, 7]]))).toMatchObject({ code: 'UNKNOWN_MEMBER_ID' })
  })
})
