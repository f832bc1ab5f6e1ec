/** Faults that are interrupted while they are being applied: what has begun is taken back, or brought to its end. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { realClock } from '#scripts/cluster/clock.ts'
import type { Cluster, NodeState, NodeStatus, NodeVersions } from '#scripts/cluster/cluster.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { faultKind } from '#scripts/faults/catalogue.ts'
import { takeBack } from '#scripts/faults/take-back.ts'
import type { ClusterLinks, FaultState, LinkState } from '#scripts/proxy/model.ts'

const home = mkdtempSync(path.join(tmpdir(), 'faultline-interrupted-'))
beforeAll(() => {
  process.env['FAULTLINE_HOME'] = home
})
afterAll(() => {
  delete process.env['FAULTLINE_HOME']
  rmSync(home, { recursive: true, force: true })
})

function threeNodes(done: string[], changed: Partial<Cluster> = {}): Cluster {
  const states = new Map<number, NodeStatus>([1, 2, 3].map(id => [id, 'running']))
  const set = (id: number, state: NodeStatus, verb: string): Promise<void> => {
    done.push(`${verb} ${id}`)
    states.set(id, state)
    return Promise.resolve()
  }
  const made: Partial<Cluster> = {
    spec: clusterSpec({ runtime: 'process', name: 'interrupted' }),
    clock: realClock,
    bootstrap: [],
    kafkaOptions: () => ({ brokers: [] }),
    nodes: () =>
      Promise.resolve(
        [...states].map(([id, state]): NodeState => ({
          ...{ id, state, roles: ['broker'], host: '127.0.0.1', port: 1, dataDir: '', log: '' },
        })),
      ),
    kill: id => set(id, 'stopped', 'kill'),
    stop: id => set(id, 'stopped', 'stop'),
    start: id => set(id, 'running', 'start'),
    waitReady: () => Promise.resolve(),
    ...changed,
  }
  return made as Cluster
}

const interruption = new Error('interrupted by SIGINT')

describe('an interruption', () => {
  test('lets a rolling restart bring the node back that is down, and stops it there', async () => {
    const done: string[] = []
    const abort = new AbortController()
    const cluster = threeNodes(done)
    const stop = cluster.stop.bind(cluster)
    cluster.stop = async id => {
      await stop(id)
      abort.abort(interruption)
    }
    const order = { cluster, nodes: [1, 2, 3], parameters: {}, proof: false, signal: abort.signal }
    await expect(faultKind('rolling-restart').apply(order)).rejects.toMatchObject({
      message: 'node 1 was stopped and started; node 2, 3 are as before',
      cause: interruption,
    })
    expect(done).toEqual(['stop 1', 'start 1'])
  })

  describe('of a rolling upgrade', () => {
    const order = { nodes: [1, 2, 3], parameters: { program: '/new/main.ts' }, proof: false }
    const versions = (changed: Partial<NodeVersions> = {}): NodeVersions => ({
      prepare: () => Promise.resolve(),
      set: () => Promise.resolve(),
      prove: () => Promise.resolve(undefined),
      ...changed,
    })

    test('tells which nodes are what', async () => {
      const abort = new AbortController()
      const upgraded = new Set<number>()
      const done: string[] = []
      const cluster = threeNodes(done, {
        versions: versions({
          set: id => {
            upgraded.add(id)
            if (id === 2) abort.abort(interruption)
            return Promise.resolve()
          },
        }),
      })
      const nodes = cluster.nodes.bind(cluster)
      cluster.nodes = async () =>
        (await nodes()).map(node => (upgraded.has(node.id) ? { ...node, version: '/new/main.ts' } : node))
      const interrupted = faultKind('rolling-upgrade').apply({ ...order, cluster, signal: abort.signal })
      await expect(interrupted).rejects.toMatchObject({
        message:
          'node 1 was stopped and started, as /new/main.ts; node 2 was stopped and started, as /new/main.ts; node 3 is as before',
        cause: interruption,
      })
      expect(done).toEqual(['stop 1', 'start 1', 'stop 2', 'start 2'])
    })

    test('ends what is fetched for it', async () => {
      const abort = new AbortController()
      const done: string[] = []
      const cluster = threeNodes(done, {
        versions: versions({
          prepare: async (_version, { signal } = {}) => {
            abort.abort(interruption)
            signal?.throwIfAborted()
            await Promise.resolve()
          },
          set: () => Promise.reject(new Error('it went on')),
        }),
      })
      const interrupted = faultKind('rolling-upgrade').apply({ ...order, cluster, signal: abort.signal })
      await expect(interrupted).rejects.toMatchObject({
        message: 'node 1, 2, 3 are as before',
        cause: interruption,
      })
      expect(done).toEqual([])
    })
  })

  test('takes back a fault of links that was being proved', async () => {
    const faults: FaultState[] = []
    const abort = new AbortController()
    const link: LinkState = {
      ...{
        name: 'client->1',
        from: 'client',
        to: 1,
        listener: 'client' as const,
        listen: { host: '127.0.0.1', port: 1 },
      },
      ...{ connections: 0, accepted: 0, bytes: { request: 0, response: 0 }, requests: {}, clientIds: [] },
      upstream: { host: '127.0.0.1', port: 1 },
    } as unknown as LinkState
    const links: ClusterLinks = {
      status: () => Promise.resolve({ state: 'running', log: '' }),
      start: () => Promise.resolve(),
      isRemote: true,
      links: () => Promise.resolve([link]),
      faults: () => Promise.resolve(faults),
      add: ({ kind, parameters = {} }) => {
        const state = { id: `${kind}-1`, name: kind, summary: kind, links: ['client->1'], parameters, hits: 0 }
        faults.push({ ...state, held: 0, missed: 0 })
        abort.abort(interruption)
        return Promise.resolve(faults[0]!)
      },
      heal: ids => Promise.resolve(faults.splice(0).filter(({ id }) => ids.includes(id))),
      release: () => Promise.resolve(0),
      probe: () => Promise.resolve({ ending: 'refused', tookMs: 1, pieces: 0, receivedBytes: 0, sentBytes: 0 }),
    }
    const cluster = threeNodes([], { links })
    const order = { cluster, nodes: [], parameters: {}, proof: true, signal: abort.signal }
    const choice = { from: ['client' as const], to: [1] }
    await expect(faultKind('cut').apply({ ...order, links: choice })).rejects.toBe(interruption)
    expect(faults).toEqual([])
  })

  test('starts the nodes again that a fault has just ended', async () => {
    const done: string[] = []
    const cluster = threeNodes(done)
    await cluster.kill(2)
    const applied = [{ id: 'down-2', name: 'kill', summary: '', node: 2, proofs: [] }]
    expect(await takeBack(cluster, applied, interruption)).toBe(interruption)
    expect(done).toEqual(['kill 2', 'start 2'])
  })
})
