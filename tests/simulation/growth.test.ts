import { describe, expect, test } from 'vitest'
import { probePrefix, unregister } from '#scripts/cluster/ready.ts'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import type { SimulatedCluster } from '#scripts/cluster/simulated/simulated-cluster.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import {
  allTopics,
  createTopic,
  errorCodes,
  listReassignments,
  reassignPartition,
  unregisterBroker,
} from '#scripts/cluster/wire-requests.ts'
import { Links } from '#scripts/workload/links.ts'
import { scenario, wrong, type Scene } from './harness.ts'

const timeoutMs = 5_000
const partitions = 3
/** Every partition gives one of its replicas to broker 4. */
const targets = [
  [4, 1, 2],
  [2, 4, 3],
  [3, 1, 4],
]

/** A fourth broker joins, takes its share, and one broker dies on the way: the new one, a leader, or whoever comes third. */
async function growth({ world, cluster, workload }: Scene, victim: number): Promise<void> {
  const links = new Links(cluster, timeoutMs)
  await workload.moreAcknowledged(50)
  await cluster.start(4)
  await cluster.waitReady()
  await workload.moreAcknowledged(10)
  for (const [partition, replicas] of targets.entries()) {
    const move = { topic: workload.topic, partition, replicas }
    expect(await links.ask(1, client => reassignPartition(client, move, timeoutMs))).toBe(0)
    if (partition === 1) await cluster.kill(victim)
  }
  links.close()
  await world.sleep(15_000)
  // Two of three in-sync replicas are enough to write.
  await workload.moreAcknowledged(10, 60_000)
  await cluster.start(victim)
  await cluster.waitReady({ timeoutMs: 120_000 })
  const after = new Links(cluster, timeoutMs)
  const endMs = world.nowMs + 120_000
  for (;;) {
    const { errorCode, partitions: moving } = await after.ask(3, listReassignments)
    if (errorCode === 0 && moving.length === 0) break
    if (world.nowMs > endMs) throw new Error(`still moving: ${moving.join(', ')}`)
    await world.sleep(100)
  }
  after.close()
  await workload.moreAcknowledged(20, 60_000)
  await workload.finish(120_000)
}

describe('a fourth broker joins and takes partitions while one of the four dies', () => {
  test.each([
    { seed: 11, victim: 4 },
    { seed: 12, victim: 2 },
    { seed: 13, victim: 3 },
  ])('seed $seed, broker $victim dies: nothing acknowledged is lost', async ({ seed, victim }) => {
    const options = { seed, later: 1, controllers: 3, workload: { partitions } }
    const { verdict } = await scenario(options, scene => growth(scene, victim))
    expect(wrong(verdict)).toEqual([])
  })
})

test('a broker that came and does not come back is known no more, nor a probe that was cut off', async () => {
  const cluster = await simulatedRuntime.up(clusterSpec({ name: 'gone', runtime: 'simulated', brokers: 1, seed: 14 }))
  const links = new Links(cluster, timeoutMs)
  try {
    const forget = async () => {
      const [first] = await cluster.nodes()
      // Nobody answers for node 2: another one is asked.
      const dead = { host: 'node-2', port: first?.port ?? 0 }
      await unregister([2], [dead, ...(first === undefined ? [] : [first])], cluster.clock, cluster.kafkaOptions())
    }
    await cluster.grow?.(1)
    for (const topic of [`${probePrefix}1`, 'orders'])
      await links.ask(1, client => createTopic(client, { name: topic, placement: [[2, 1]], settings: {} }, timeoutMs))
    await cluster.kill(2)
    await forget()
    const { topics } = await links.ask(1, allTopics)
    expect(topics.map(({ name }) => name)).toEqual(['orders'])
    expect(await links.ask(1, client => unregisterBroker(client, 2))).toBe(errorCodes.brokerIdNotRegistered)
    await forget()
    await expect(unregister([2], [], cluster.clock, cluster.kafkaOptions())).rejects.toThrow('may stay registered')
  } finally {
    links.close()
    await cluster.down()
  }
})

test('a broker that came and was taken away again can come once more, on an empty disk and without what was wrong with it', async () => {
  const spec = clusterSpec({ name: 'again', runtime: 'simulated', brokers: 1, seed: 15 })
  const cluster = (await simulatedRuntime.up(spec)) as SimulatedCluster
  try {
    const ids = async () => (await cluster.nodes()).map(({ id }) => id)
    expect(await cluster.addBrokers(2)).toEqual([2, 3])
    await cluster.waitReady()
    await cluster.nodeFaults.add(3, { kind: 'slow-disk', parameters: { delay: 10 }, proof: false })
    await cluster.pause(2)
    await cluster.removeBrokers([2, 3])
    expect(await ids()).toEqual([1])
    expect(cluster.spec).toEqual({ ...spec, added: 0 })
    expect(cluster.bootstrap).toHaveLength(1)
    // What is not there is not taken away.
    await cluster.removeBrokers([2])
    expect(cluster.spec.added).toBe(0)
    await unregister([2, 3], await cluster.nodes(), cluster.clock, cluster.kafkaOptions())
    expect(await cluster.grow(2)).toEqual([2, 3])
    expect(await ids()).toEqual([1, 2, 3])
    expect(await cluster.nodeFaults.list(3)).toEqual([])
  } finally {
    await cluster.down()
  }
})
