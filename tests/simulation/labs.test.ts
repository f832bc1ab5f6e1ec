/** Every lab in virtual time: the expected verdict, and every negative control caught. */
import { expect, test } from 'vitest'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import { listLabs, runLab } from '#scripts/labs/run.ts'

const labs = (await listLabs()).map(({ name }) => name)

test.each(labs)('%s keeps its promise, and its controls are caught', async lab => {
  const result = await runLab(lab, { runtime: simulatedRuntime, engine: 'faultline', seed: 1 })
  expect(result.variants.filter(({ trouble }) => trouble !== undefined)).toEqual([])
  expect(`${result.verdict}: ${result.reason}`).toMatch(/^valid: /)
})
