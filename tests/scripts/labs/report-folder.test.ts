/** One run at a time writes into a folder, and one that cannot be made is refused before anything runs. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { projectRoot } from '#scripts/cluster/state.ts'
import { reportFolder } from '#scripts/commands/lab-run.ts'
import { inReportFolder } from '#scripts/labs/report-folder.ts'
import { newLab } from '#scripts/labs/template.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'faultline-folder-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const faultline = async (...args: string[]) =>
  await execa(path.join(projectRoot, 'faultline'), args, {
    reject: false,
    cwd: folder,
    env: { NO_COLOR: '1', FAULTLINE_HOME: path.join(folder, 'home') },
  })

test('a second run into the same folder is refused, and the next one is not', async () => {
  const out = path.join(folder, 'one')
  const second = async () => await inReportFolder(out, () => Promise.resolve('second'))
  const refused = await inReportFolder(out, async () => await second().catch((error: unknown) => String(error)))
  expect(refused).toContain(`Another run (process ${process.pid}) writes into ${out}.`)
  expect(await second()).toBe('second')
  expect(readdirSync(out)).toEqual([])
})

test.each([
  ['random', ['--seed', '2', '--out', '.'], 'random-2'],
  ['replay', ['2', '--out', 'random-2'], 'random-2'],
  ['replay', ['small.history.jsonl', '--out', 'random-2'], 'random-2'],
  ['shrink', ['2', '--out', 'random-2/small.ts'], 'random-2'],
])('lab %s %j writes into no folder that another run writes into', async (command, args, name) => {
  writeFileSync(path.join(folder, 'small.history.jsonl'), '')
  const out = path.join(folder, name)
  const { stderr, exitCode } = await inReportFolder(out, async () => await faultline('lab', command, ...args))
  expect(stderr).toContain(`error: Another run (process ${process.pid}) writes into `)
  expect(exitCode).toBe(2)
  expect(readdirSync(out)).toEqual([])
})

test('what a run throws stays what it is', async () => {
  const failing = inReportFolder(path.join(folder, 'two'), () => Promise.reject(new Error('of the run')))
  await expect(failing).rejects.toThrow(/^of the run$/)
})

test('folders that cannot be made are refused in one sentence', async () => {
  const run = await faultline('lab', 'run', '01', '--runtime', 'simulated', '--out', '/proc/faultline')
  expect(run.stderr).toContain('error: The report cannot be written into /proc/faultline: ENOENT')
  expect(run.stderr).not.toContain('variant')
  expect(run.exitCode).toBe(2)
  const made = await faultline('lab', 'new', '/proc/faultline')
  expect(made.stderr).toContain('error: /proc/faultline.ts cannot be written: ENOENT')
  expect(made.exitCode).toBe(2)
})

test('a variant alone is partial: exit code and JUnit agree', async () => {
  writeFileSync(path.join(folder, 'alone.ts'), newLab('alone'))
  const out = path.join(folder, 'alone-report')
  const run = await faultline('lab', 'run', './alone.ts', '--runtime', 'simulated', '--variant', 'acks-1', '--out', out)
  expect(run.stdout).toContain('seed 1: PARTIAL')
  expect(run.exitCode).toBe(0)
  expect(readFileSync(path.join(out, 'junit.xml'), 'utf8')).toContain('failures="0" errors="0"')
})

test('the report of variants alone has a folder of its own', () => {
  expect(path.basename(reportFolder({ variant: [] }, 'alone'))).toBe('alone')
  expect(path.basename(reportFolder({ variant: ['acks-1'] }, 'alone'))).toBe('alone-acks-1')
  expect(reportFolder({ out: folder, variant: ['acks-1'] }, 'alone')).toBe(folder)
})
