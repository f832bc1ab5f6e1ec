import { expect, test, vi } from 'vitest'
import type { SimulatedCluster } from '#scripts/cluster/simulated/simulated-cluster.ts'
import { Wire } from '#simulator/actors/wire.ts'
import { World } from '#simulator/world/world.ts'

/** What brokers tell one after another of the leader of events-0. */
async function leadersTold(told: readonly { topicId: string; leaderId: number; leaderEpoch: number }[]) {
  const world = new World({ seed: 1 })
  world.node('client').start()
  const openBootstrap = ['node-1:9092', 'node-2:9092']
  const wire = new Wire({ world, openBootstrap } as unknown as SimulatedCluster)
  const left = [...told]
  vi.spyOn(wire, 'send').mockImplementation(() => {
    const { topicId, ...partition } = left.shift() ?? told[0]!
    const brokers = [1, 2].map(nodeId => ({ nodeId, host: `node-${nodeId}`, port: 9092 }))
    return Promise.resolve({ brokers, topics: [{ topicId, partitions: [{ partitionIndex: 0, ...partition }] }] })
  })
  const hosts: string[] = []
  await world.run(async () => {
    while (left.length > 0) hosts.push((await wire.leader('events', 0)).host)
  })
  return hosts
}

test('a leader of the past is not gone back to, until its topic is made anew', async () => {
  const newer = { topicId: 'a', leaderId: 2, leaderEpoch: 5 }
  const older = { topicId: 'a', leaderId: 1, leaderEpoch: 4 }
  const made = { topicId: 'b', leaderId: 1, leaderEpoch: 0 }
  expect(await leadersTold([older, newer, older, older, newer, made])).toEqual(['node-1', 'node-2', 'node-2', 'node-1'])
})
