import { expect, test } from 'vitest'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import { lab, quickFailover } from '#scripts/labs/lab.ts'
import { runLab } from '#scripts/labs/run.ts'
import { leaderDiesAhead, loseTheUnreplicated, unreplicatedWorkload } from '#scripts/labs/scripts.ts'

/** The control is the script with as many records as it takes; the main never runs. */
const dying = (records: number) =>
  lab({
    name: 'dying-leader',
    summary: '',
    question: '',
    prediction: { choices: ['yes'], answer: 0 },
    topology: { brokers: 3, controllers: 1, settings: quickFailover },
    needs: [],
    variants: [
      {
        name: 'main',
        summary: '',
        role: 'main',
        workload: {},
        script: () => Promise.resolve(),
        checks: [],
        expect: 'valid',
      },
      {
        name: 'acks-1',
        summary: '',
        role: 'control',
        workload: unreplicatedWorkload,
        script: records === 0 ? loseTheUnreplicated : leaderDiesAhead(records),
        checks: ['unseen'],
        expect: ['unseen'],
      },
    ],
    watch: [],
    explanation: '',
    reading: [],
  })

const run = async (records: number) => {
  const lines: string[] = []
  const result = await runLab(dying(records), {
    runtime: simulatedRuntime,
    engine: 'faultline',
    seed: 3,
    variants: ['acks-1'],
    progress: line => lines.push(line),
  })
  return { variant: result.variants[0], lines: lines.join('\n') }
}

test('a leader that dies ahead of its followers takes acknowledged records with it', async () => {
  const { variant } = await run(0)
  expect(variant).toMatchObject({ asExpected: true })
  expect(variant?.trouble).toBeUndefined()
})

test('followers that leave the in-sync set too early are noticed: it begins again, and gives up in the end', async () => {
  const { variant, lines } = await run(3_000)
  expect(lines.match(/the followers had left the in-sync set: the leader comes back/g)).toHaveLength(2)
  expect(variant?.trouble).toContain('the followers had left the in-sync set before the leader was dead, 3 times')
})
