/** Quotas as labs set them: known to every broker when they are set, and refused in words. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Cluster } from '#scripts/cluster/cluster.ts'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import { limitClient } from '#scripts/workload/client-quotas.ts'
import { produceBatch } from '#scripts/workload/hand-requests.ts'
import { Links } from '#scripts/workload/links.ts'

const settings = { 'quota.window.num': '2' }
const spec = { ...clusterSpec({ name: 'quotas', runtime: 'simulated', brokers: 2, seed: 4 }), settings }

let cluster: Cluster
beforeAll(async () => {
  cluster = await simulatedRuntime.up(spec)
})
afterAll(() => cluster.down())

test('hold on each broker for the client id that they were set for, and for no other', async () => {
  const workload = new HandWorkload(
    { cluster, recorder: new HistoryRecorder(cluster.clock), topic: 'letters' },
    { partitions: 2 },
  )
  await workload.prepare()
  await limitClient(cluster, 'greedy', 'producer_byte_rate', 1_000)
  const leaders = await Promise.all([0, 1].map(async partition => (await workload.leader(partition)).leader))
  expect(new Set(leaders).size).toBe(2)
  const throttled = async (clientId: string) => {
    const links = new Links(cluster, 60_000, clientId)
    const records = [{ value: 'x'.repeat(5_000), timestamp: 0 }]
    const write = async (leader: number, partition: number) => {
      const question = { topic: 'letters', partition, records, acks: -1, timeoutMs: 5_000 } as const
      return (await links.ask(leader, client => produceBatch(client, question))).throttleTimeMs > 0
    }
    const answers = await Promise.all(leaders.map(write))
    links.close()
    return answers
  }
  expect(await throttled('greedy')).toEqual([true, true])
  expect(await throttled('modest')).toEqual([false, false])
  await workload.abandon()
})

test('that cannot be are refused', async () => {
  await expect(limitClient(cluster, 'greedy', 'producer_byte_rate', -1)).rejects.toThrow(
    'the quota of greedy was refused with INVALID_REQUEST',
  )
})
