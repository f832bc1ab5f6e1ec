/** Folders that are made one after the other. */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startCluster } from '#scripts/library/index.ts'
import { nodeDisk } from '#broker/environment/node/disk.ts'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { rememberRun } from '#scripts/labs/progress.ts'
import type { LabResult } from '#scripts/labs/result.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'faultline-folders-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('the outermost one that was missing is told', () => {
  const inner = path.join(folder, 'a', 'b', 'c')
  expect(makeFolder(inner)).toBe(path.join(folder, 'a'))
  expect(existsSync(inner)).toBe(true)
  expect(makeFolder(inner)).toBeUndefined()
  expect(makeFolder(path.join(inner, 'd'))).toBe(path.join(inner, 'd'))
})

test('what cannot be made is refused with the error of the system', () => {
  writeFileSync(path.join(folder, 'file'), '')
  expect(() => makeFolder(path.join(folder, 'file'))).toThrow(/EEXIST/)
  expect(() => makeFolder('/proc/faultline/a')).toThrow(/ENOENT/)
})

test('a mode is that of all that are made', () => {
  makeFolder(path.join(folder, 'a', 'b'), 0o700)
  for (const made of ['a', 'a/b']) expect(statSync(path.join(folder, made)).mode & 0o777).toBe(0o700)
})

test('a log directory of a broker is one of them', () => {
  expect(() => nodeDisk.makeDirectory('/proc/faultline/a')).toThrow('makeDirectory /proc/faultline/a: ENOENT')
})

test('the folder of what is remembered of labs is one of them', () => {
  const result = {
    lab: '01-log',
    prediction: {},
    verdict: 'valid',
    runtime: 'simulated',
    engine: 'faultline',
  } as LabResult
  expect(() => rememberRun(result, '/proc/faultline/a/labs.json')).toThrow(/ENOENT.*\/proc\/faultline/)
})

test('the folder of a test’s cluster is one of them', async () => {
  const refused = startCluster({ directory: '/proc/faultline' })
  await expect(refused).rejects.toThrow(/option directory: no folder can be made in \/proc\/faultline: ENOENT/)
})
