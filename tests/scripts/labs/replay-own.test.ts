/** A history of a lab of one's own is judged by the checks of that lab, wherever its file lies, and never by those of another one. */
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { projectRoot } from '#scripts/cluster/state.ts'
import type { LabResult } from '#scripts/labs/result.ts'
import { newLab } from '#scripts/labs/template.ts'

let folder = ''
let lab = ''
/** Recorded once: nothing in these tests changes it. */
let history = ''
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'faultline-replay-own-'))
  lab = join(folder, 'mine.ts')
  // Its name is also the end of that of a lab of the installation.
  writeFileSync(lab, newLab('log'))
  const ran = await faultline('run', './mine.ts', '--runtime', 'simulated', '--variant', 'acks-1', '--out', 'report')
  if (ran.exitCode !== 0) throw new Error(ran.stderr)
  history = join(folder, 'report', 'acks-1.history.jsonl')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function faultline(...args: string[]) {
  return await execa(join(projectRoot, 'faultline'), ['lab', ...args, '--json'], {
    reject: false,
    cwd: folder,
    env: { NO_COLOR: '1', FAULTLINE_HOME: join(folder, 'home') },
  })
}

/** From another folder than the one that the lab was run in. */
async function replayed(...args: string[]) {
  const { stdout, stderr, exitCode } = await execa(
    join(projectRoot, 'faultline'),
    ['lab', 'replay', ...args, '--json'],
    { reject: false, cwd: tmpdir(), env: { NO_COLOR: '1' } },
  )
  return { stderr, exitCode, result: exitCode === 0 ? (JSON.parse(stdout) as LabResult) : undefined }
}

test('it is judged, and run again, by its file', async () => {
  const judged = await replayed(history)
  expect(judged.result).toMatchObject({
    lab: 'log',
    reason: 'Judged again: variant acks-1 is invalid, as expected.',
    variants: [{ name: 'acks-1', asExpected: true }],
  })
  expect(judged.result?.environment?.command).toContain(`lab run ${lab} `)
  expect(judged.stderr).toContain(`${history} is of the lab in ${lab}, which is taken as it is now.`)
  const again = await replayed(history, '--rerun')
  expect(again.result?.reason).toBe('Run again: variant acks-1 is invalid, as expected.')
  expect(again.result?.variants[0]?.operations).toBe(judged.result?.variants[0]?.operations)
})

test('a file that is elsewhere now is asked for', async () => {
  const moved = join(folder, 'moved.ts')
  renameSync(lab, moved)
  try {
    const { exitCode, stderr } = await replayed(history)
    expect(stderr).toContain(`${history} is of the lab log, and there is no file ${lab} any more.`)
    expect(stderr).toContain('--lab FILE')
    expect(exitCode).toBe(2)
    expect((await replayed(history, '--lab', moved)).result).toMatchObject({ lab: 'log', verdict: 'valid' })
  } finally {
    renameSync(moved, lab)
  }
})

test('another lab does not do', async () => {
  const other = join(folder, 'other.ts')
  writeFileSync(other, newLab('other'))
  const { stderr, exitCode } = await replayed(history, '--lab', other)
  expect(stderr).toContain(`${history} is of the lab log, and ${other} is the lab other.`)
  expect(exitCode).toBe(2)
  expect((await replayed(history, '--lab', 'log')).stderr).toContain('--lab log: expected the file of a lab.')
  expect((await replayed('17', '--lab', lab)).stderr).toContain('--lab goes with a history.')
})

test('one that is not said to be in a file is not taken for one of the installation', async () => {
  const old = join(folder, 'old.history.jsonl')
  const [header = '', ...operations] = readFileSync(history, 'utf8').split('\n')
  const { labFile, ...rest } = JSON.parse(header) as { readonly labFile: string }
  expect(labFile).toBe(lab)
  writeFileSync(old, [JSON.stringify(rest), ...operations].join('\n'))
  const { stderr, exitCode } = await replayed(old)
  expect(stderr).toContain(
    `${old} is of the lab log, which is none of this installation, and does not say in which file`,
  )
  expect(exitCode).toBe(2)
  expect((await replayed(old, '--lab', lab)).result).toMatchObject({ lab: 'log', verdict: 'valid' })
})
