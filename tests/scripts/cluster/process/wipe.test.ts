/** The disk of a node that is down is exchanged: all of it, and nothing beside it. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { faultlineEngine } from '#scripts/cluster/process/faultline-engine.ts'
import { ProcessCluster } from '#scripts/cluster/process/process-cluster.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { keepStateIn, logDirectories, nodeDirectory } from '#scripts/cluster/state.ts'

const name = 'exchanged'
let home = ''
beforeEach(() => {
  home = mkdtempSync(path.join(tmpdir(), 'faultline-exchanged-'))
  keepStateIn(home, name)
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

function clusterWith(settings: Readonly<Record<string, string>>) {
  const spec = { ...clusterSpec({ runtime: 'process', name, logDirs: 2 }), settings }
  const nodes = { '2': { settings: { 'metadata.log.dir': 'of-its-own' } } }
  const record = {
    version: 1,
    spec: { ...spec, nodes },
    clusterId: '',
    phase: 'up',
    owner: { pid: 0, identity: '' },
    foreignData: [],
  } as const
  const directories = (id: number) => logDirectories(record.spec, id)
  for (const id of [1, 2, 3]) for (const directory of directories(id)) fill(directory)
  return { cluster: new ProcessCluster(record, faultlineEngine), directories }
}

function fill(directory: string): void {
  mkdirSync(path.join(directory, '__cluster_metadata-0'), { recursive: true })
  writeFileSync(path.join(directory, '__cluster_metadata-0', 'quorum-state'), '{}')
  for (const file of ['meta.properties', 'bootstrap.checkpoint', '.lock', 'of somebody else'])
    writeFileSync(path.join(directory, file), '')
}

test('a metadata log in a directory of its own goes, and what is not of a node stays', async () => {
  const metadata = path.join(home, 'metadata')
  fill(metadata)
  const { cluster, directories } = clusterWith({ 'metadata.log.dir': metadata })
  await cluster.wipe(1)
  expect(directories(1).map(directory => readdirSync(directory))).toEqual([[], []])
  expect(readdirSync(metadata)).toEqual(['of somebody else'])
})

test('a setting of the node counts before that of all, and is looked for where the node runs', async () => {
  const [metadata, own] = [path.join(home, 'metadata'), path.join(nodeDirectory(name, 2), 'of-its-own')]
  for (const each of [metadata, own]) fill(each)
  await clusterWith({ 'metadata.log.dir': metadata }).cluster.wipe(2)
  expect(readdirSync(own)).toEqual(['of somebody else'])
  expect(existsSync(path.join(metadata, 'meta.properties'))).toBe(true)
})

test('one that no node has made yet is no failure', async () => {
  const { cluster, directories } = clusterWith({ 'metadata.log.dir': path.join(home, 'none') })
  await cluster.wipe(3)
  expect(directories(3).map(directory => readdirSync(directory))).toEqual([[], []])
})
