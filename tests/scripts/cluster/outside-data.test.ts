/** What `down` takes away outside of a cluster's own folder, and what it leaves. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { foreignPaths, outsideData, removeOutsideData } from '#scripts/cluster/outside-data.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'faultline-outside-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const at = (...names: string[]) => path.join(root, ...names)

function fill(folder: string, name = 'meta.properties'): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, name), '')
}

const dataIn = (dataDir: string) => outsideData({ dataDir }, [path.join(dataDir, 'node-1')])

test('all that was made goes, with the folders that it was made in', () => {
  const has = dataIn(at('a', 'b'))
  const foreign = foreignPaths(has)
  fill(at('a', 'b', 'node-1'))
  removeOutsideData(has, foreign)
  expect(existsSync(at('a'))).toBe(false)
  expect(existsSync(root)).toBe(true)
})

test('what was there before stays, be it empty, and so does what came in from elsewhere', () => {
  mkdirSync(at('a'))
  fill(at('a', 'b', 'node-1'))
  const has = outsideData({ dataDir: at('a', 'b') }, [at('a', 'b', 'node-1'), at('a', 'b', 'node-2')], [at('c', 'd')])
  const foreign = foreignPaths(has)
  fill(at('a', 'b', 'node-2'))
  fill(at('c', 'd', '__cluster_metadata-0'))
  fill(at('c'), 'of somebody')
  removeOutsideData(has, foreign)
  expect(existsSync(at('a', 'b', 'node-1', 'meta.properties'))).toBe(true)
  expect(existsSync(at('a', 'b', 'node-2'))).toBe(false)
  expect(existsSync(at('c', 'd'))).toBe(false)
  expect(existsSync(at('c', 'of somebody'))).toBe(true)
})

test('a record that says nothing of the folders above leaves them', () => {
  fill(at('a', 'b', 'node-1'))
  removeOutsideData(dataIn(at('a', 'b')), [])
  expect(existsSync(at('a', 'b'))).toBe(false)
  expect(existsSync(at('a'))).toBe(true)
})

test('what a cluster comes to have later is looked at then, and what it had stays its own', () => {
  const had = dataIn(at('a'))
  const known = foreignPaths(had)
  fill(at('a', 'node-1'))
  fill(at('m'))
  const has = outsideData({ dataDir: at('a') }, [at('a', 'node-1')], [at('m')])
  const foreign = foreignPaths(has, known, had)
  fill(at('m', '__cluster_metadata-0'))
  removeOutsideData(has, foreign)
  expect(existsSync(at('a'))).toBe(false)
  expect(existsSync(at('m', 'meta.properties'))).toBe(true)
  expect(existsSync(at('m', '__cluster_metadata-0'))).toBe(false)
})

test('of a cluster from before, whose record names nothing above, nothing above is taken for its own', () => {
  mkdirSync(at('empty'))
  const had = outsideData({}, [])
  const has = outsideData({}, [], [at('empty', 'm')])
  const foreign = foreignPaths(has, [], had)
  fill(at('empty', 'm', '__cluster_metadata-0'))
  removeOutsideData(has, foreign)
  expect(existsSync(at('empty'))).toBe(true)
  expect(existsSync(at('empty', 'm'))).toBe(false)
})
