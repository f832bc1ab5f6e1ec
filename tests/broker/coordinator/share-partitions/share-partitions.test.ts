import { expect, test } from 'vitest'
import { SharePartitions, type SharePartitionsOptions } from '#broker/coordinator/share-partitions/share-partitions.ts'

const place = { topicId: 'topic', partition: 0 }

/** A broker that leads the partition, and a share coordinator that refuses at once. */
function partitions() {
  const replica = { machine: { role: 'leader', leaderEpoch: 4 } }
  const counts = { reads: 0, wakes: 0 }
  const options = {
    metadata: () => ({ topicsById: new Map([['topic', { name: 'tasks' }]]) }),
    replicas: { find: () => replica, wake: () => void counts.wakes++ },
    persister: {
      read: async () => {
        counts.reads++
        return { error: 'FENCED_LEADER_EPOCH' }
      },
    },
  } as unknown as SharePartitionsOptions
  return { all: new SharePartitions(options), counts, replica }
}

test('a failure to load is told to the request, not to those who only look whether they can go on', async () => {
  const { all, counts } = partitions()
  const opened = all.open('group', place)
  if ('error' in opened) throw new Error('refused before it was tried')
  expect(all.isGood(opened)).toBe(true)
  await Promise.resolve()
  await Promise.resolve()
  expect(counts).toEqual({ reads: 1, wakes: 1 })
  expect([all.isGood(opened), all.isGood(opened)]).toEqual([false, false])
  expect(all.open('group', place)).toEqual({ error: 'NOT_LEADER_OR_FOLLOWER' })
  expect(counts.reads).toBe(1)
  // Who asks after that has it tried again.
  expect(all.open('group', place)).not.toHaveProperty('error')
  expect(counts.reads).toBe(2)
})

test('what was opened in a leadership that is over is good no more', () => {
  const { all, replica } = partitions()
  const opened = all.open('group', place)
  if ('error' in opened) throw new Error('refused before it was tried')
  replica.machine.leaderEpoch++
  expect(all.isGood(opened)).toBe(false)
})
