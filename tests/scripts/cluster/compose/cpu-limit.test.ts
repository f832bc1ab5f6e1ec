/** Limits of processors of containers that end, or are removed, at any moment: an engine that has one container, or none. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { NodeFaults } from '#scripts/cluster/cluster.ts'
import { keepStateIn, nodeDirectory } from '#scripts/cluster/state.ts'

interface Container {
  readonly startedAt: string
  readonly isRunning: boolean
  readonly quota: number
  readonly heldBack: number
}

const engine = vi.hoisted(() => ({
  container: undefined as Container | undefined,
  /** Is called before a command is begun in the container. */
  before: (): void => undefined,
  refuse: (statusCode: number): Error => Object.assign(new Error(`the engine says ${statusCode}`), { statusCode }),
}))

vi.mock('#scripts/cluster/compose/docker.ts', () => ({
  docker: () => {
    const there = (): Container => {
      if (engine.container === undefined) throw engine.refuse(404)
      return engine.container
    }
    const inspect = async () => Promise.resolve({ HostConfig: { CpuQuota: there().quota, CpuPeriod: 0 } })
    const update = async ({ CpuQuota }: { readonly CpuQuota: number }) => {
      engine.container = { ...there(), quota: CpuQuota }
      await Promise.resolve()
    }
    return Promise.resolve({ getContainer: () => ({ inspect, update }) })
  },
}))

vi.mock('#scripts/cluster/compose/container.ts', async original => ({
  ...(await original<object>()),
  async runInContainer() {
    engine.before()
    if (engine.container?.isRunning !== true) throw engine.refuse(engine.container === undefined ? 404 : 409)
    return Promise.resolve({ exitCode: 0, stdout: `nr_throttled ${engine.container.heldBack}\n`, stderr: '' })
  },
}))

const { CpuLimitedNodes } = await import('#scripts/cluster/compose/cpu-limit.ts')

const noOthers: NodeFaults = {
  add: () => Promise.reject(new Error('nothing else is added here')),
  list: () => Promise.resolve([]),
  heal: () => Promise.resolve([]),
}
const name = 'limited'
const nodes = new CpuLimitedNodes(noOthers, name, () => {
  const { isRunning = false, startedAt = '' } = engine.container ?? {}
  return Promise.resolve({ name: 'node-1', isRunning, isPaused: false, startedAt })
})
const order = { kind: 'cpu-limit', parameters: { cores: 0.5 }, proof: false }
const half = 50_000
let home: string

beforeEach(() => {
  home = mkdtempSync(path.join(tmpdir(), 'faultline-limited-'))
  keepStateIn(home, name)
  mkdirSync(nodeDirectory(name, 1), { recursive: true })
  engine.container = { startedAt: 'first', isRunning: true, quota: -1, heldBack: 3 }
  engine.before = () => undefined
})
afterEach(() => rmSync(home, { recursive: true }))

test('a container that is removed takes its limit with it, and its node is healed', async () => {
  await nodes.add(1, order)
  expect(engine.container?.quota).toBe(half)
  engine.container = undefined
  expect(await nodes.list(1)).toMatchObject([{ id: 'cpu-limit-1', hits: 0 }])
  expect(await nodes.heal(1, 'all')).toMatchObject([{ id: 'cpu-limit-1' }])
  expect(readdirSync(nodeDirectory(name, 1))).toEqual([])
})

test('one that is made again gets the limit that is still wanted, also when it was not there meanwhile', async () => {
  await nodes.add(1, order)
  engine.container = undefined
  await nodes.renew(1)
  engine.container = { startedAt: 'second', isRunning: true, quota: 0, heldBack: 0 }
  await nodes.renew(1)
  expect(engine.container.quota).toBe(half)
})

test('no limit is added to one that is removed meanwhile', async () => {
  engine.before = () => {
    engine.container = undefined
  }
  await expect(nodes.add(1, order)).rejects.toThrow('the engine says 404')
  expect(readdirSync(nodeDirectory(name, 1))).toEqual([])
})

test.each([
  ['ends', { isRunning: false }],
  ['is removed', undefined],
  ['is started anew', { isRunning: true, startedAt: 'second' }],
])('one that %s while it is asked was never held back, and is no error', async (_, change) => {
  await nodes.add(1, order)
  engine.before = () => {
    engine.container = change && { ...engine.container!, ...change }
    throw engine.refuse(409)
  }
  expect(await nodes.list(1)).toMatchObject([{ id: 'cpu-limit-1', hits: 0 }])
})

test('what a container that goes on does not tell is an error', async () => {
  await nodes.add(1, order)
  engine.before = () => {
    throw engine.refuse(500)
  }
  await expect(nodes.list(1)).rejects.toThrow('the engine says 500')
})
