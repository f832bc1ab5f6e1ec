/** Folders that are made one after the other. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startCluster } from '#scripts/library/index.ts'
import { makeFolder } from '#scripts/make-folder.ts'

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

test('the folder of a test’s cluster is one of them', async () => {
  const refused = startCluster({ directory: '/proc/faultline' })
  await expect(refused).rejects.toThrow(/option directory: no folder can be made in \/proc\/faultline: ENOENT/)
})
