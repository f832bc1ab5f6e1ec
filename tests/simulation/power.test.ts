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
    const { verdict } = await scenario({ seed: 1, settings, mayLose: true }, powerFailureOfAll)
    // What was lost is overwritten at the same offsets by what comes after.
    expect(wrong(verdict)).toContain('inconsistent-offsets')
  })

  test('and the invariants see at once that another record is committed at an offset', async () => {
    await expect(scenario({ seed: 1, settings }, powerFailureOfAll)).rejects.toThrow(
      /events-\d: offset \d+ is committed with/,
    )
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
