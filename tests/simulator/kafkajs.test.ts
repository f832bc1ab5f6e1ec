import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { runKafkaJs, type KafkaJsRun } from './kafkajs-scenario.ts'

const program = fileURLToPath(new URL('./kafkajs-scenario.ts', import.meta.url))

describe('kafkajs inside a simulation', () => {
  test('produces through a cut link, a killed and a paused broker, in virtual time', async () => {
    const run = await runKafkaJs(1)
    expect(run.sent).toBe(30)
    expect(run.virtualMs).toBeGreaterThan(30 * 200)
  })

  test('the same seed gives the same run in this process, byte for byte', async () => {
    expect(await runKafkaJs(2)).toEqual(await runKafkaJs(2))
  })

  test('another seed gives another run', async () => {
    expect((await runKafkaJs(3)).hash).not.toBe((await runKafkaJs(4)).hash)
  })

  test('the same seed gives the same run in other processes', async () => {
    const here = await runKafkaJs(5)
    const runs = [1, 2].map(() => promisify(execFile)(process.execPath, [program, '5']))
    for (const { stdout } of await Promise.all(runs)) expect(JSON.parse(stdout) as KafkaJsRun).toEqual(here)
  })

  test('draining microtasks alone leaves nothing behind: a full turn of the event loop per event gives the same run', async () => {
    expect(await runKafkaJs(6, 'immediate')).toEqual(await runKafkaJs(6, 'microtask'))
  })

  test('the real globals are back when a simulation has ended, also when it failed', async () => {
    const before = [globalThis.setTimeout, Date, Math.random]
    await runKafkaJs(7)
    expect([globalThis.setTimeout, Date, Math.random]).toEqual(before)
    expect(Math.abs(Date.now() - new Date().getTime())).toBeLessThan(60_000)
  })
})
