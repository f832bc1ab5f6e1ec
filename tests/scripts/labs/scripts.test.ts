import { expect, test } from 'vitest'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import { runLab } from '#scripts/labs/run.ts'
import type { Script } from '#scripts/labs/script.ts'
import { leaderDiesAhead, loseTheUnreplicated, unreplicatedWorkload } from '#scripts/labs/scripts.ts'
import { smallLab } from './small-lab.ts'

const nothing = { script: () => Promise.resolve(), checks: [] }
/** The main never runs. */
const dying = (script: Script) =>
  smallLab(nothing, { workload: unreplicatedWorkload, script, checks: ['unseen'], expect: ['unseen'] })

const run = async (script: Script) => {
  const lines: string[] = []
  const result = await runLab(dying(script), {
    runtime: simulatedRuntime,
    engine: 'faultline',
    seed: 3,
    variants: ['control'],
    progress: line => lines.push(line),
  })
  return { variant: result.variants[0], lines: lines.join('\n') }
}

test('a leader that dies ahead of its followers takes acknowledged records with it', async () => {
  const { variant } = await run(loseTheUnreplicated)
  expect(variant).toMatchObject({ asExpected: true })
  expect(variant?.trouble).toBeUndefined()
})

test('followers that leave the in-sync set too early are noticed: it begins again, and gives up in the end', async () => {
  const { variant, lines } = await run(leaderDiesAhead(3_000))
  expect(lines.match(/the followers had left the in-sync set; when all are in sync, once more/g)).toHaveLength(4)
  expect(variant?.trouble).toContain('the followers left the in-sync set before the leader was dead, 5 times')
})

test('a leader is ahead with acks=all too, by what producers wait for, whenever they have written it', async () => {
  // A single producer has written its record before anybody asks the leader how far it is.
  const workload = { partitions: 1, producers: 1, pauseMaxMs: 0, recordsPerSendMax: 1 }
  const dying = smallLab(
    { workload, script: leaderDiesAhead(1), checks: ['unseen'] },
    { ...nothing, checks: ['unseen'], expect: ['unseen'] },
  )
  const result = await runLab(dying, { runtime: simulatedRuntime, engine: 'faultline', seed: 3, variants: ['main'] })
  expect(result.variants[0]?.trouble).toBeUndefined()
  expect(result.variants[0]).toMatchObject({ verdict: 'valid' })
})
