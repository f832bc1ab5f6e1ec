/** `lab random` as a command of its own: where its reports go. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { projectRoot } from '#scripts/cluster/state.ts'
import { drawLab, parseRandomLab } from '#scripts/labs/random/random-lab.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'faultline-random-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a lab with a promise given up does not take the place of the one that keeps it', async () => {
  const draw = async (...more: string[]) =>
    await execa(join(projectRoot, 'faultline'), ['lab', 'random', '--seed', '1', '--out', folder, ...more])
  await draw()
  await draw('--weaken', 'acks-1')
  expect(readdirSync(folder).sort()).toEqual(['random-1', 'random-1-acks-1'])
  const drawn = (name: string) => parseRandomLab(readFileSync(join(folder, name, 'random.json'), 'utf8'))
  expect(drawn('random-1')).toEqual(drawLab(1))
  expect(drawn('random-1-acks-1')).toEqual(drawLab(1, ['acks-1']))
})
