/** What a node noted of its disk, across starts as the same program and as another one. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { writeLossProof } from '#broker/environment/faulty/unsynced/loss-proof.ts'
import { UnsyncedDisk } from '#broker/environment/faulty/unsynced/unsynced-disk.ts'
import { UnsyncedJournal } from '#broker/environment/faulty/unsynced/unsynced-journal.ts'
import { nodeDisk } from '#broker/environment/node/disk.ts'
import type { ProcessEngine } from '#scripts/cluster/process/engine.ts'
import { freeBasePort } from '#scripts/cluster/ports.ts'
import { ProcessCluster } from '#scripts/cluster/process/process-cluster.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { dataDirectory, nodeDirectory } from '#scripts/cluster/state.ts'

/** Processes that live until they are ended and touch no file, so that what is on the disk is what the test put there. */
const engine: ProcessEngine = {
  nodeMemoryBytes: 0,
  readyTimeoutMs: 1_000,
  available: () => Promise.resolve({ available: true }),
  prepare: () => Promise.resolve(),
  format: () => Promise.resolve(),
  properties: () => ({}),
  launch: () => ({ command: process.execPath, args: ['-e', 'setInterval(() => {}, 1e6)'], environment: {} }),
  inVersion: () => engine,
  mark: '',
}

let home: string
let cluster: ProcessCluster
let file: string
beforeEach(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'faultline-power-'))
  process.env['FAULTLINE_HOME'] = home
  const asked = clusterSpec({ runtime: 'process', name: 'powered', brokers: 1, faults: true, port: 0 })
  const spec = { ...asked, port: await freeBasePort(asked) }
  cluster = new ProcessCluster(
    { version: 1, spec, clusterId: 'c', phase: 'up', owner: { pid: 1, startedAt: '' }, foreignData: [] } as never,
    engine,
  )
  mkdirSync(nodeDirectory('powered', 1), { recursive: true })
  mkdirSync(dataDirectory(spec, 1), { recursive: true })
  file = path.join(dataDirectory(spec, 1), 'log')
})
afterEach(async () => {
  await cluster.endAll()
  delete process.env['FAULTLINE_HOME']
  rmSync(home, { recursive: true, force: true })
})

/** As a node does that notes it: a file whose second half is not fsynced. */
function writeNoted(): void {
  const directory = nodeDirectory('powered', 1)
  const journal = new UnsyncedJournal(nodeDisk, directory)
  const disk = writeLossProof(
    nodeDisk,
    directory,
    roots => new UnsyncedDisk(nodeDisk, journal, [path.dirname(file), ...roots]),
  )
  const log = disk.open(file, 'write')
  log.write([Buffer.from('fsynced')], 0)
  log.sync()
  disk.syncDirectory(path.dirname(file))
  log.write([Buffer.from(', not')], 7)
  log.close()
}

test('a restart as the same program changes nothing: what was not fsynced can still be lost', async () => {
  await cluster.start(1)
  writeNoted()
  await cluster.kill(1)
  await cluster.start(1)
  await cluster.powerFailure([1])
  expect(readFileSync(file, 'utf8')).toBe('fsynced')
})

test.each([
  ['another program', () => cluster.versions.set(1, 'other.mjs')],
  ['the program of the cluster', () => cluster.versions.set(1, undefined)],
])('what a node noted is not said of what it writes as %s, which may note nothing', async (_, change) => {
  await cluster.versions.set(1, 'first.mjs')
  await cluster.start(1)
  writeNoted()
  await cluster.kill(1)
  await change()
  await cluster.start(1)
  writeFileSync(file, 'written anew, and fsynced', { flush: true })
  await expect(cluster.powerFailure([1])).rejects.toThrow('keeps no journal of what it has not fsynced')
  expect(readFileSync(file, 'utf8')).toBe('written anew, and fsynced')
  // Nor as the first one again.
  await cluster.kill(1)
  await cluster.versions.set(1, 'first.mjs')
  await cluster.start(1)
  await expect(cluster.powerFailure([1])).rejects.toThrow('keeps no journal')
})
