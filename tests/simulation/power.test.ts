import { describe, expect, test } from 'vitest'
import { ignoredSync } from '#broker/environment/faulty/ignored-sync.ts'
import { scenario, wrong, type Scene } from './harness.ts'

/** Kernels that write nothing back by themselves: only what was fsynced survives. */
const settings = { writebackMs: 3_600_000 }

async function powerFailureOfAll({ world, cluster, workload }: Scene): Promise<void> {
  await workload.moreAcknowledged(100)
  const ids = cluster.members.map(({ id }) => id)
  await cluster.powerFailure(ids)
  await world.sleep(2000)
  for (const id of ids) await cluster.start(id)
  await cluster.waitReady({ timeoutMs: 120_000 })
  await workload.moreAcknowledged(20, 120_000)
  await workload.finish(120_000)
}

describe('the power of all machines fails at once', () => {
  test('and acknowledged records are lost, as on every Kafka: the checkers see it', async () => {
    const { verdict } = await scenario({ seed: 1, settings }, powerFailureOfAll)
    expect(wrong(verdict)).toContain('lost-write')
  })

  test('and nothing is lost when every append is fsynced', async () => {
    const properties = { 'log.flush.interval.messages': '1' }
    const { verdict } = await scenario({ seed: 1, settings, properties }, powerFailureOfAll)
    expect(wrong(verdict)).toEqual([])
  })

  test('and the invariants notice when fsync of the metadata log does nothing', async () => {
    const run = scenario({ seed: 3, settings }, async scene => {
      for (const { machine } of scene.cluster.members) machine.faults.add(ignoredSync({ path: /__cluster_metadata/ }))
      await powerFailureOfAll(scene)
    })
    await expect(run).rejects.toThrow(
      /went back from epoch|is committed with epoch|ended by itself|two leaders|not ready/,
    )
  })
})

describe('acknowledgement by the leader alone', () => {
  test('loses records when leaders are killed and machines lose power: the checkers see it', async () => {
    const workload = { acks: 1, idempotent: false } as const
    const { verdict } = await scenario({ seed: 2, workload, settings: { latencyUsMax: 20_000 } }, async scene => {
      for (let round = 0; round < 6; round++) {
        await scene.workload.moreAcknowledged(30)
        const [leader] = (await scene.cluster.quorum())?.leaderId === 1 ? [2] : [1]
        scene.world.network.cut(`node-${leader!}`, 'node-3')
        await scene.world.sleep(300)
        await scene.cluster.powerFailure([leader!])
        scene.world.network.heal(`node-${leader!}`, 'node-3')
        await scene.world.sleep(15_000)
        await scene.cluster.start(leader!)
        await scene.cluster.waitReady({ timeoutMs: 120_000 })
      }
      await scene.workload.finish(120_000)
    })
    expect(wrong(verdict)).toContain('lost-write')
  })
})
