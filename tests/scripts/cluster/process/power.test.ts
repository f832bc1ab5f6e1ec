/** What a node noted of its disk, across starts as the same program and as another one. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { writeLossProof } from '#broker/environment/faulty/unsynced/loss-proof.ts'
import { UnsyncedDisk } from '#broker/environment/faulty/unsynced/unsynced-disk.ts'
import { UnsyncedJournal, unsyncedNames } from '#broker/environment/faulty/unsynced/unsynced-journal.ts'
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
let fileOf2: string
beforeEach(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'faultline-power-'))
  process.env['FAULTLINE_HOME'] = home
  const asked = clusterSpec({ runtime: 'process', name: 'powered', brokers: 2, faults: true, port: 0 })
  const spec = { ...asked, port: await freeBasePort(asked) }
  cluster = new ProcessCluster(
    { version: 1, spec, clusterId: 'c', phase: 'up', owner: { pid: 1, startedAt: '' }, foreignData: [] } as never,
    engine,
  )
  for (const id of [1, 2]) {
    mkdirSync(nodeDirectory('powered', id), { recursive: true })
    mkdirSync(dataDirectory(spec, id), { recursive: true })
  }
  file = path.join(dataDirectory(spec, 1), 'log')
  fileOf2 = path.join(dataDirectory(spec, 2), 'log')
})
afterEach(async () => {
  await cluster.endAll()
  delete process.env['FAULTLINE_HOME']
  rmSync(home, { recursive: true, force: true })
})

const fileOfNode = (id: number): string => (id === 1 ? file : fileOf2)

/** As a node does that notes it: a file whose second half is not fsynced. */
function writeNoted(id = 1): void {
  const directory = nodeDirectory('powered', id)
  const file = fileOfNode(id)
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

test('a start of a node that runs is refused before anything of it is touched', async () => {
  await cluster.start(1)
  writeNoted()
  await cluster.versions.set(1, 'other.mjs')
  await expect(cluster.start(1)).rejects.toThrow('Node 1 is running already.')
  await cluster.powerFailure([1])
  expect(readFileSync(file, 'utf8')).toBe('fsynced')
})

describe('the power failure of several nodes', () => {
  beforeEach(async () => {
    for (const id of [1, 2]) {
      await cluster.start(id)
      writeNoted(id)
    }
  })

  test('ends none of them when one of them is down already', async () => {
    await cluster.kill(2)
    await expect(cluster.powerFailure([1, 2])).rejects.toThrow('Cannot cut the power of node 2: it is stopped')
    expect((await cluster.nodes()).map(({ id, state }) => [id, state === 'stopped'])).toEqual([
      [1, false],
      [2, true],
    ])
  })

  test('that was cut off is gone on with at the next start of each', async () => {
    const directory = nodeDirectory('powered', 2)
    // What a command leaves that is killed when the nodes have ended, and before anything was taken.
    writeFileSync(path.join(directory, 'power-cut.json'), JSON.stringify({ loss: 'all', names: 'ordered', seed: 0 }))
    for (const id of [1, 2]) await cluster.kill(id)
    for (const id of [1, 2]) await cluster.start(id)
    expect([file, fileOf2].map(name => readFileSync(name, 'utf8'))).toEqual(['fsynced, not', 'fsynced'])
    // Once.
    await cluster.kill(2)
    writeNoted(2)
    await cluster.start(2)
    expect(readFileSync(fileOf2, 'utf8')).toBe('fsynced, not')
  })

  test('is over when it has taken what it had to', async () => {
    await cluster.powerFailure([1, 2])
    expect([1, 2].map(id => existsSync(path.join(nodeDirectory('powered', id), 'power-cut.json')))).toEqual([
      false,
      false,
    ])
  })

  test('takes what it has to from each, also when the journal of another one cannot be read', async () => {
    const journal = path.join(nodeDirectory('powered', 1), unsyncedNames.journal)
    rmSync(journal)
    mkdirSync(journal)
    await expect(cluster.powerFailure([1, 2])).rejects.toThrow(unsyncedNames.journal)
    expect(readFileSync(fileOf2, 'utf8')).toBe('fsynced')
  })
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
