/** A history of the simulator is judged as any other: by what is in the file. Its lab is run again only where that is asked for. */
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import { readHistory, writeHistory } from '#scripts/history/file.ts'
import type { LabResult } from '#scripts/labs/result.ts'
import { drawLab } from '#scripts/labs/random/random-lab.ts'
import { runRandomLab, type RandomOutcome } from '#scripts/labs/random/run-random.ts'
import { replay, rerun } from '#scripts/labs/replay.ts'
import { runLab } from '#scripts/labs/run.ts'

const variant = 'acks-0'
let folder = ''
let recorded: LabResult
const file = (name: string) => join(folder, `${name}.history.jsonl`)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'faultline-replay-'))
  const options = { runtime: simulatedRuntime, engine: 'faultline', seed: 1, variants: [variant] } as const
  recorded = await runLab('01-log', { ...options, out: folder })
  const { run } = await readHistory(file(variant))
  await writeHistory(file('header-only'), run, [])
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

test('a file that was cut at the end of a line is refused', async () => {
  const lines = readFileSync(file(variant), 'utf8').split('\n')
  writeFileSync(file('cut'), `${lines.slice(0, 40).join('\n')}\n`)
  await expect(replay(file('cut'))).rejects.toThrow(
    `${file('cut')}: expected ${recorded.variants[0]?.operations} operations, as its header says, got 39: the end is missing`,
  )
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

describe('a lab that was drawn from a seed', () => {
  const drawn = drawLab(1, ['acks-1'])
  let outcome: RandomOutcome
  let history = ''
  beforeAll(async () => {
    const out = join(folder, 'random')
    outcome = await runRandomLab(drawn, { runtime: simulatedRuntime, out })
    // It needs nothing that lies beside it.
    history = join(folder, 'drawn.history.jsonl')
    renameSync(join(out, 'main.history.jsonl'), history)
  })

  test('is judged by what its settings promise, and run again, from its history alone', async () => {
    expect(outcome.documented).not.toEqual([])
    const out = join(folder, 'drawn-report')
    const again = await replay(history, { out })
    expect(again).toMatchObject({ lab: 'random-1', verdict: 'valid', reason: `Judged again: ${outcome.reason}` })
    expect(again.variants[0]?.acknowledged).toBe(outcome.variant.acknowledged)
    expect(readdirSync(out)).toContain('report.html')
    const told: string[] = []
    const progress = (message: string) => void told.push(message)
    const { reason, variants } = await rerun(history, { simulated: simulatedRuntime, progress })
    expect(reason).toBe(`Run again: ${outcome.reason}`)
    // The settings say what is expected of it, and that is judged afterwards.
    expect(told.at(-1)).toBe('  main: invalid')
    expect(variants[0]?.operations).toBe(outcome.variant.operations)
  })

  test('that is not in the history is asked for', async () => {
    const old = join(folder, 'old-random.history.jsonl')
    writeFileSync(old, withHeader(history, { random: undefined }))
    await expect(replay(old)).rejects.toMatchObject({
      message: `${old} is of a lab that was drawn from a seed, and does not say what was drawn.`,
      remedy: 'lab replay takes the random.json that lies beside it.',
    })
    writeFileSync(old, withHeader(history, { random: { ...drawn, acks: 2 } }))
    await expect(replay(old)).rejects.toThrow('acks: expected 0, 1 or -1, got 2')
    await expect(replay(history, { lab: './mine.ts' })).rejects.toThrow('holds that lab itself')
  })
})

test('what is expected of a release of Kafka is expected of its history', async () => {
  const old = join(folder, 'release.history.jsonl')
  writeFileSync(old, withHeader(file(variant), { engine: 'apache-kafka', engineVersion: '3.9.1' }))
  const { engineVersion, environment } = await replay(old)
  expect(engineVersion).toBe('3.9.1')
  expect(environment?.command).toContain('--engine apache-kafka:3.9.1')
})

/** The same history with something else said of it. */
function withHeader(path: string, changes: object): string {
  const [header = '', ...operations] = readFileSync(path, 'utf8').split('\n')
  return [JSON.stringify({ ...(JSON.parse(header) as object), ...changes }), ...operations].join('\n')
}
