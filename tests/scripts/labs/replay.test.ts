/** A history of the simulator is judged as any other: by what is in the file. Its lab is run again only where that is asked for. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import type { LabResult } from '#scripts/labs/result.ts'
import { replay, rerun, runLab } from '#scripts/labs/run.ts'

const variant = 'acks-0'
let folder = ''
let recorded: LabResult
const file = (name: string) => join(folder, `${name}.history.jsonl`)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'faultline-replay-'))
  const options = { runtime: simulatedRuntime, engine: 'faultline', seed: 1, variants: [variant] } as const
  recorded = await runLab('01-log', { ...options, out: folder })
  const [header] = readFileSync(file(variant), 'utf8').split('\n')
  writeFileSync(file('header-only'), `${header}\n`)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('the file is judged, and comes out as it was', async () => {
  const again = await replay(file(variant))
  expect(again.reason).toMatch(/^Judged again: /)
  expect(again.environment?.judgedAgain).toBe(true)
  expect(JSON.parse(JSON.stringify(again.variants[0]?.results))).toEqual(
    JSON.parse(JSON.stringify(recorded.variants[0]?.results)),
  )
})

test('a file in which nothing happened is unknown, whatever its seed would give', async () => {
  expect(await replay(file('header-only'))).toMatchObject({
    verdict: 'unknown',
    variants: [{ operations: 0, acknowledged: 0, verdict: 'unknown', asExpected: false }],
  })
})

test('the lab is run again from the seed where that is asked for, and the result says so', async () => {
  const told: string[] = []
  const progress = (message: string) => void told.push(message)
  const { reason, verdict, variants, environment } = await rerun(file('header-only'), {
    simulated: simulatedRuntime,
    progress,
  })
  expect({ verdict, reason }).toEqual({
    verdict: 'valid',
    reason: `Run again: variant ${variant} is invalid, as expected.`,
  })
  expect(told[0]).toBe(`01-log, variant ${variant}, is run again from the seed 1.`)
  expect(variants[0]?.operations).toBe(recorded.variants[0]?.operations)
  expect(environment?.judgedAgain).toBeUndefined()
})

test('a run of real processes is not run again: it would be another one', async () => {
  const other = file('process')
  copyFileSync(file(variant), other)
  writeFileSync(other, readFileSync(other, 'utf8').replace('"runtime":"simulated"', '"runtime":"process"'))
  await expect(rerun(other, { simulated: simulatedRuntime })).rejects.toMatchObject({
    exitCode: 2,
    message: `${other} was recorded on the runtime process: only a simulated run comes out the same from its seed.`,
  })
})
