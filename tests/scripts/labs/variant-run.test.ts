/** What a variant comes to whose run goes wrong on the way to its final read, on a simulated cluster. */
import { expect, test } from 'vitest'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import type { Offset } from '#scripts/history/operation.ts'
import { runLab } from '#scripts/labs/run.ts'
import type { Script } from '#scripts/labs/script.ts'
import { appendDefaults, AppendWorkload } from '#scripts/workload/append.ts'
import type { WorkloadParts } from '#scripts/workload/workload.ts'
import { smallLab } from './small-lab.ts'

/** Nobody reads before the end. */
const options = { ...appendDefaults, consumers: 0 }
const writes: Script = async run => await run.acknowledged(20)

class NeverInSync extends AppendWorkload {
  override async untilInSync(timeoutMs: number): Promise<Offset[]> {
    if (this.acknowledged > 0) throw new Error('not all replicas were in sync')
    return await super.untilInSync(timeoutMs)
  }
}

class TroubledAfterwards extends AppendWorkload {
  override async finish(timeoutMs: number): Promise<void> {
    await super.finish(timeoutMs)
    throw new Error('the clients did not end')
  }
}

const append = (parts: WorkloadParts) => new AppendWorkload(parts.cluster, parts.recorder, parts.topic, options)
const neverInSync = (parts: WorkloadParts) => new NeverInSync(parts.cluster, parts.recorder, parts.topic, options)
const troubledAfterwards = (parts: WorkloadParts) =>
  new TroubledAfterwards(parts.cluster, parts.recorder, parts.topic, options)

const doesNotHeal: Script = async run => {
  await writes(run)
  run.heal = () => Promise.reject(new Error('a node did not start'))
}

async function ran(script: Script, workload: (parts: WorkloadParts) => AppendWorkload) {
  const given = { script, workload, checks: ['unseen'] as const }
  return await runLab(smallLab(given, { ...given, expect: ['unseen'] }), {
    runtime: simulatedRuntime,
    engine: 'faultline',
    seed: 1,
  })
}

test.each([
  ['replicas are not in sync in the end', writes, neverInSync, 'the final read: not all replicas were in sync'],
  ['the cluster is not healed', doesNotHeal, append, 'healing: a node did not start'],
])('where %s nothing is lost for certain, and no control is caught', async (_, script, workload, trouble) => {
  const { verdict, variants } = await ran(script, workload)
  expect(variants).toMatchObject(
    ['main', 'control'].map(name => ({
      name,
      verdict: 'unknown',
      asExpected: false,
      trouble,
      results: [{ valid: 'unknown' }],
    })),
  )
  expect(verdict).toBe('unknown')
})

test('trouble after a complete final read takes nothing from what was read', async () => {
  const { variants } = await ran(writes, troubledAfterwards)
  expect(variants[0]).toMatchObject({
    verdict: 'unknown',
    trouble: 'the final read: the clients did not end',
    results: [{ name: 'unseen', valid: true }],
  })
})
