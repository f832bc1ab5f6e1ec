/** `lab shrink` as a command of its own: whoever interrupts it keeps the smallest lab that was found until then. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { projectRoot } from '#scripts/cluster/state.ts'
import { drawLab, parseRandomLab } from '#scripts/labs/random/random-lab.ts'

const faultline = join(projectRoot, 'faultline')
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'faultline-shrink-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('an interrupted one leaves the lab of its last reduction, which can be run and made smaller', async () => {
  const before = drawLab(1, ['acks-1'])
  const random = join(folder, 'random.json')
  const file = join(folder, 'small.ts')
  writeFileSync(random, JSON.stringify(before))
  const command = execa(faultline, ['lab', 'shrink', random, '--check', 'lost-write', '--out', file], {
    reject: false,
    env: { NO_COLOR: '1' },
  })
  let told = ''
  let isInterrupted = false
  command.stderr.on('data', (chunk: Buffer) => {
    told += chunk.toString()
    if (isInterrupted || !told.includes('still found by lost-write')) return
    isInterrupted = command.kill('SIGINT')
  })
  const { exitCode, stderr } = await command
  expect(stderr).toContain(`The smallest so far is in ${file};`)
  expect(exitCode).toBe(130)
  const smaller = parseRandomLab(readFileSync(join(folder, 'small.json'), 'utf8'))
  expect(smaller.faults.length).toBeLessThan(before.faults.length)
  expect((await execa(faultline, ['lab', 'show', file, '--json'])).stdout).toContain('"name": "small"')
})

test('a file that could be no lab is refused before anything is run', async () => {
  const file = join(folder, 'Small.txt')
  const { exitCode, stderr } = await execa(faultline, ['lab', 'shrink', '1', '--out', file], { reject: false })
  expect(stderr).toContain('expected a file like shrunk.ts')
  expect(stderr).not.toContain('Nothing was found')
  expect(exitCode).toBe(2)
  expect(existsSync(file)).toBe(false)
})

test('no runs at all are refused, and what an earlier one has found stays', async () => {
  const file = join(folder, 'kept.ts')
  writeFileSync(file, 'smaller')
  const command = ['lab', 'shrink', '1', '--runs', '0', '--out', file]
  const { exitCode, stderr } = await execa(faultline, command, { reject: false })
  expect(stderr).toContain('--runs 0 tries nothing: expected a whole number from 1 on.')
  expect(exitCode).toBe(2)
  expect(readFileSync(file, 'utf8')).toBe('smaller')
})
