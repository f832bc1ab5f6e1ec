/** Labs that would end the command without a word, or never: as scripts see it, by exit codes and stderr. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { projectRoot } from '#scripts/cluster/state.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'faultline-endings-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.each([
  ['ends the process', 'process.exit(0)'],
  ['never finishes loading', 'await new Promise(() => {})'],
])('a lab whose module %s is an error', async (_, text) => {
  const file = path.join(folder, 'silent.ts')
  writeFileSync(file, `${text}\nexport default {}\n`)
  const { exitCode, stderr } = await execa(path.join(projectRoot, 'faultline'), ['lab', 'run', file], { reject: false })
  expect(stderr).toContain(`The lab ${file}: the module ended the process while it was read, or waits`)
  expect(exitCode).toBe(2)
})

test('a script that never gives the thread back is ended from outside of it', async () => {
  const module = pathToFileURL(path.join(projectRoot, 'scripts/labs/standstill.ts')).href
  const file = path.join(folder, 'spins.mjs')
  writeFileSync(
    file,
    `import { watchForStandstill } from '${module}'\nwatchForStandstill(1_000)\nfor (;;) await null\n`,
  )
  const { signal, stderr } = await execa(process.execPath, [file], { reject: false })
  expect(stderr).toContain('The script has not given the thread back for 1 s')
  expect(signal).toBe('SIGKILL')
})

test('a script that stands still where the inspector is open is left alone', async () => {
  const module = pathToFileURL(path.join(projectRoot, 'scripts/labs/standstill.ts')).href
  const file = path.join(folder, 'stands.mjs')
  const lines = [
    `import { watchForStandstill } from '${module}'`,
    'watchForStandstill(200)',
    'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(process.argv[2]))',
    "console.log('went on')",
    'process.exit()',
  ]
  writeFileSync(file, lines.join('\n'))
  const run = async (standsMs: number, ...options: string[]) =>
    await execa(process.execPath, [...options, file, String(standsMs)], { reject: false })
  expect(await run(2_000, '--inspect=127.0.0.1:0')).toMatchObject({ exitCode: 0, stdout: 'went on' })
  // Longer than it takes a busy machine to begin to watch.
  expect(await run(120_000)).toMatchObject({ signal: 'SIGKILL' })
})

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
])('whoever is told twice by %s leaves at once, whatever goes on', async (signal, code) => {
  const module = pathToFileURL(path.join(projectRoot, 'scripts/commands/session.ts')).href
  const file = path.join(folder, 'told-twice.mjs')
  const lines = [
    `import { Session } from '${module}'`,
    'const session = new Session(false)',
    'session.listenForInterrupts()',
    'setInterval(() => {}, 1_000)',
    `const tell = () => process.kill(process.pid, '${signal}')`,
    "session.signal.addEventListener('abort', () => setImmediate(tell))",
    'tell()',
  ]
  writeFileSync(file, lines.join('\n'))
  const { exitCode, stderr } = await execa(process.execPath, [file], { reject: false })
  expect(stderr).toContain('Interrupted again: leaving at once.')
  expect(exitCode).toBe(code)
})
