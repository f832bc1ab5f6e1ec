import { describe, expect, test } from 'vitest'
import { scenario, wrong, type Scene } from './harness.ts'

/** A leader that only clients can reach, for longer than its session; then all is mended. */
async function isolatedLeader({ world, cluster, workload }: Scene): Promise<void> {
  await workload.moreAcknowledged(30)
  await cluster.partition?.([[1], [2, 3]])
  await world.sleep(20_000)
  await cluster.healPartition?.()
  await cluster.waitReady({ timeoutMs: 120_000 })
  await workload.finish(120_000)
}

describe('a leader cut off from the other brokers, not from its clients', () => {
  test('loses what it acknowledged alone (acks=1): the checkers see it', async () => {
    const workload = { acks: 1, idempotent: false, partitions: 3 } as const
    const { verdict } = await scenario({ seed: 2, workload, mayLose: true }, isolatedLeader)
    expect(wrong(verdict)).toContain('lost-write')
  })

  test('loses nothing when all in-sync replicas acknowledge', async () => {
    const { verdict } = await scenario({ seed: 2, workload: { partitions: 3 } }, isolatedLeader)
    expect(wrong(verdict)).toEqual([])
  })
})
