/** The read of everything at the end, on a simulated cluster. */
import { expect, test } from 'vitest'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import { runLab } from '#scripts/labs/run.ts'
import type { Script } from '#scripts/labs/script.ts'
import { kafkaClient } from '#scripts/workload/kafkajs-client.ts'
import { smallLab } from '../labs/small-lab.ts'

const withScript = (script: Script) =>
  smallLab({ script, checks: ['unseen', 'poll-skip'] }, { script, checks: ['unseen'], expect: ['unseen'] })

test('begins again in another group when the reader is given a part of the partitions only', async () => {
  const crowded = withScript(async run => {
    await run.acknowledged(60)
    // It is there first, in the group that the reader is about to join.
    const rival = kafkaClient(run.cluster, 'rival').consumer({ groupId: `${run.workload.topic}-final-0` })
    await rival.connect()
    await rival.subscribe({ topics: [run.workload.topic], fromBeginning: true })
    await rival.run({ eachBatch: () => Promise.resolve() })
  })
  const { variants } = await runLab(crowded, {
    runtime: simulatedRuntime,
    engine: 'faultline',
    seed: 1,
    variants: ['main'],
  })
  expect(variants[0]?.results.map(({ name, valid }) => ({ name, valid }))).toEqual([
    { name: 'unseen', valid: true },
    { name: 'poll-skip', valid: true },
  ])
  expect(variants[0]).toMatchObject({ verdict: 'valid' })
})
