import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { beginUp, findCluster, ownProcess } from '#scripts/cluster/lifecycle.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import {
  clusterNames,
  readRecord,
  removeState,
  requireOwnState,
  stateDirectory,
  writeRecord,
  type ClusterRecord,
  type Phase,
} from '#scripts/cluster/state.ts'

let home = ''
beforeEach(() => {
  home = path.join(mkdtempSync(path.join(tmpdir(), 'faultline-state-')), 'home')
  process.env['FAULTLINE_HOME'] = home
})
afterEach(() => {
  delete process.env['FAULTLINE_HOME']
  rmSync(path.dirname(home), { recursive: true, force: true })
})

const spec = clusterSpec({ name: 'a', runtime: 'process' })

async function put(phase: Phase, change: Partial<ClusterRecord> = {}): Promise<void> {
  const owner = await ownProcess()
  mkdirSync(stateDirectory('a'), { recursive: true })
  writeRecord({ version: 1, spec, clusterId: 'id', phase, owner, foreignData: [], ...change })
}

describe('a name', () => {
  test('is free at first, then taken', async () => {
    expect(await beginUp(spec)).toBeUndefined()
    await put('up')
    await expect(beginUp(spec)).rejects.toThrow('A cluster named a is up already')
  })

  test('is held by a command that is still starting it', async () => {
    await put('starting')
    await expect(beginUp(spec)).rejects.toThrow(`Another command (process ${process.pid}) is just starting`)
  })

  test('of a start that was cut off is explained', async () => {
    await put('starting', { owner: { pid: process.pid, identity: 'of an earlier life' } })
    await expect(beginUp(spec)).rejects.toMatchObject({
      message: expect.stringContaining('was cut off') as string,
      remedy: expect.stringContaining('./faultline down --name a') as string,
      exitCode: 1,
    })
  })

  test('whose data was kept is continued in the same shape only', async () => {
    await put('down')
    expect(await beginUp(spec)).toMatchObject({ clusterId: 'id' })
    await expect(beginUp({ ...spec, brokers: 5 })).rejects.toMatchObject({ exitCode: 2 })
  })

  test('with a directory and no record is left alone', async () => {
    mkdirSync(stateDirectory('a'), { recursive: true })
    await expect(beginUp(spec)).rejects.toThrow('holds no cluster')
  })
})

describe('what lies in the place of a cluster', () => {
  const lockHolder = '3f2504e0-4f89-41d3-9a0c-0305e82c3301'

  test.each([
    [],
    ['cluster.json.123.tmp'],
    ['cluster.json', 'node-1', 'node-100', 'security', 'faults', 'proxy', 'prometheus.yml'],
    ['grow.lock', `grow.lock.${lockHolder}`, `packets.lock.after-${'0a'.repeat(16)}`, 'packets.json'],
    ['compose.yaml', 'compose.yaml.7.tmp', 'compose.override.yaml.lock', `compose-command.json.lock.${lockHolder}`],
    ['simulation.json', 'simulation.log'],
  ])('is its own: %j %j', (...entries) => {
    mkdirSync(stateDirectory('a'), { recursive: true })
    for (const entry of entries) writeFileSync(path.join(stateDirectory('a'), entry), '')
    expect(() => requireOwnState('a')).not.toThrow()
  })

  test.each(['thesis.txt', 'node-one', 'package.json', 'cluster.json.orig', 'compose.yaml.lock.old', '.git'])(
    'is somebody else’s: %s',
    entry => {
      mkdirSync(path.join(stateDirectory('a'), 'node-1'), { recursive: true })
      writeFileSync(path.join(stateDirectory('a'), entry), '')
      expect(() => requireOwnState('a')).toThrow(`has in it what is not of a cluster: ${entry}.`)
    },
  )

  test('may be much, or a file', () => {
    mkdirSync(stateDirectory('a'), { recursive: true })
    for (const entry of ['1', '2', '3', '4', '5', '6', '7']) writeFileSync(path.join(stateDirectory('a'), entry), '')
    expect(() => requireOwnState('a')).toThrow(/: \d, \d, \d, \d, \d and 2 more\./)
    writeFileSync(stateDirectory('b'), '')
    expect(() => requireOwnState('b')).toThrow(`${stateDirectory('b')} is a file.`)
  })
})

describe('the state', () => {
  test('lists its clusters and says which there are when one is missing', async () => {
    await put('up')
    mkdirSync(stateDirectory('no-record'), { recursive: true })
    expect(clusterNames()).toEqual(['a'])
    expect(() => findCluster('b')).toThrow('There is no cluster named b')
  })

  test('is in the folder that was named, whatever directory is the working one of who uses it', () => {
    process.env['FAULTLINE_HOME'] = path.relative(process.cwd(), home)
    expect(stateDirectory('a')).toBe(path.join(home, 'a'))
  })

  test('leaves nothing behind when the last cluster goes', async () => {
    await put('up')
    removeState('a')
    expect(existsSync(home)).toBe(false)
  })

  test('goes from a folder that is reached through a link, which stays', async () => {
    const real = path.join(path.dirname(home), 'real')
    mkdirSync(real)
    symlinkSync(real, home)
    await put('up')
    removeState('a')
    expect(readdirSync(home)).toEqual([])
  })

  test('refuses a damaged record and one of another layout', async () => {
    await put('up')
    const file = path.join(stateDirectory('a'), 'cluster.json')
    writeFileSync(file, '{')
    expect(() => readRecord('a')).toThrow('is damaged')
    writeFileSync(file, '{"version": 2}')
    expect(() => readRecord('a')).toThrow('another version of the toolkit')
  })
})
