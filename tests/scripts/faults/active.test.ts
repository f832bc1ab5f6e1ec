/** Healing while the faults of a cluster change under the hands of whoever heals. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { NodeFaultState } from '#broker/environment/faulty/fault-desk.ts'
import { realClock } from '#scripts/cluster/clock.ts'
import type { Cluster, NodeFaults, NodeState, NodeStatus, PacketFaults } from '#scripts/cluster/cluster.ts'
import { identify } from '#scripts/cluster/process/liveness.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { activeFaults, healFaults } from '#scripts/faults/active.ts'
import { faultKind } from '#scripts/faults/catalogue.ts'
import type { ClusterLinks, FaultState } from '#scripts/proxy/model.ts'
import { writeFaultProgress, writeFaultRecord } from '#scripts/faults/records.ts'

const home = mkdtempSync(path.join(tmpdir(), 'faultline-active-'))
beforeAll(() => {
  process.env['FAULTLINE_HOME'] = home
})
afterAll(() => {
  delete process.env['FAULTLINE_HOME']
  rmSync(home, { recursive: true, force: true })
})

let states: Map<number, NodeStatus>
let inside: Map<number, NodeFaultState[]>
let done: string[]
beforeEach(() => {
  states = new Map([1, 2, 3].map(id => [id, 'running']))
  inside = new Map([1, 2, 3].map(id => [id, []]))
  done = []
})

const fault = (id: string): NodeFaultState => ({ id, name: 'slow-disk', summary: id, parameters: {}, hits: 0 })

function cluster(changed: Partial<Cluster> = {}): Cluster {
  const set = (id: number, state: NodeStatus, verb: string): Promise<void> => {
    done.push(`${verb} ${id}`)
    states.set(id, state)
    return Promise.resolve()
  }
  const nodeFaults: NodeFaults = {
    add: () => Promise.reject(new Error('nothing is added here')),
    // A frozen node does not tell what ends with its process.
    list: id => Promise.resolve(states.get(id) === 'paused' ? [] : (inside.get(id) ?? [])),
    heal: (id, ids) => {
      const found = inside.get(id) ?? []
      const healed = found.filter(each => ids === 'all' || ids.includes(each.id))
      if (ids !== 'all' && healed.length < ids.length) return Promise.reject(new Error(`There is no fault ${ids[0]}`))
      done.push(...healed.map(each => `heal ${each.id}`))
      inside.set(
        id,
        found.filter(each => !healed.includes(each)),
      )
      return Promise.resolve(healed)
    },
  }
  const made: Partial<Cluster> = {
    spec: clusterSpec({ runtime: 'process', name: 'healed' }),
    capabilities: new Set(['kill', 'stop', 'pause', 'restart', 'node-faults'] as const),
    clock: realClock,
    nodeFaults,
    nodes: () =>
      Promise.resolve(
        [...states].map(([id, state]): NodeState => ({
          id,
          state,
          roles: ['broker'],
          host: 'h',
          port: 1,
          dataDir: '',
          log: '',
        })),
      ),
    kill: id => set(id, 'stopped', 'kill'),
    stop: id => set(id, 'stopped', 'stop'),
    start: id => set(id, 'running', 'start'),
    pause: id => set(id, 'paused', 'pause'),
    resume: id => set(id, 'running', 'resume'),
    ...changed,
  }
  return made as Cluster
}

describe('healing', () => {
  test('does not miss a fault that has struck since the list was read', async () => {
    inside.set(1, [fault('crash-at-1-1'), fault('slow-disk-1-2')])
    const broken = cluster()
    const whole = broken.nodeFaults!
    const nodeFaults: NodeFaults = {
      ...whole,
      heal: async (id, ids) => {
        if (ids.includes('crash-at-1-1'))
          inside.set(
            id,
            (inside.get(id) ?? []).filter(each => each.id !== 'crash-at-1-1'),
          )
        return await whole.heal(id, ids)
      },
    }
    states.set(3, 'dead')
    expect(await healFaults({ ...broken, nodeFaults }, ['crash-at-1-1', 'slow-disk-1-2', 'down-3'])).toEqual([])
    expect(done).toEqual(['heal slow-disk-1-2', 'start 3'])
  })

  test('of all does not mind another command that heals the same at the same time', async () => {
    const latency: FaultState = {
      ...{ id: 'latency-12', name: 'latency', summary: 'latency', links: [], parameters: {} },
      ...{ hits: 0, held: 0, missed: 0 },
    }
    let left = [latency]
    states.set(1, 'stopped')
    states.set(2, 'paused')
    const broken = cluster()
    const links: ClusterLinks = {
      links: () => Promise.resolve([]),
      faults: () => Promise.resolve(left),
      add: () => Promise.reject(new Error('nothing is added here')),
      // The other command was faster.
      heal: ids => {
        left = []
        return Promise.reject(new Error(`There is no fault ${ids[0]} at work on the links.`))
      },
      release: () => Promise.resolve(0),
      probe: () => Promise.reject(new Error('nothing is asked here')),
      status: () => Promise.resolve({ state: 'running', log: '' }),
      start: () => Promise.resolve(),
    }
    const up = (id: number): Promise<void> => {
      states.set(id, 'running')
      return Promise.reject(new Error(`Node ${id} is running already.`))
    }
    expect(await healFaults({ ...broken, links, start: up, resume: up }, 'all')).toEqual([])
    const stuck = { ...links, heal: () => Promise.reject(new Error('it cannot be healed')) }
    left = [latency]
    await expect(healFaults({ ...broken, links: stuck }, 'all')).rejects.toThrow('it cannot be healed')
  })

  test('of links goes on where one of them cannot be healed, and says so', async () => {
    let left = ['cut-1', 'hold-2'].map((id): FaultState => ({ ...fault(id), links: [], held: 0, missed: 0 }))
    const packets: PacketFaults = {
      kinds: new Set(['cut']),
      faults: () => Promise.resolve(left),
      add: () => Promise.reject(new Error('nothing is added here')),
      heal(ids) {
        if (ids.includes('cut-1')) return Promise.reject(new Error('its port is taken'))
        left = left.filter(({ id }) => !ids.includes(id))
        return Promise.resolve([])
      },
    }
    await expect(healFaults(cluster({ packets }), 'all')).rejects.toThrow('its port is taken')
    expect(left.map(({ id }) => id)).toEqual(['cut-1'])
  })

  test('does not hide that a fault is still there', async () => {
    inside.set(1, [fault('slow-disk-1-1')])
    const broken = cluster()
    const nodeFaults: NodeFaults = { ...broken.nodeFaults!, heal: () => Promise.reject(new Error('no answer')) }
    await expect(healFaults({ ...broken, nodeFaults }, ['slow-disk-1-1'])).rejects.toThrow('no answer')
    await expect(healFaults(broken, ['slow-disk-1-9'])).rejects.toThrow('There is no fault slow-disk-1-9 at work')
    expect(done).toEqual([])
  })

  test('of links that have no proxy is that of their packets, which are listed like all others', async () => {
    const lost = (id: string): FaultState => ({ ...fault(id), name: 'cut', links: ['1->2'], held: 0, missed: 0 })
    let there = [lost('cut-1'), lost('cut-2')]
    const packets: PacketFaults = {
      kinds: new Set(['cut']),
      faults: () => Promise.resolve(there),
      add: () => Promise.reject(new Error('nothing is added here')),
      heal(ids) {
        const healed = there.filter(({ id }) => ids.includes(id))
        there = there.filter(({ id }) => !ids.includes(id))
        done.push(...healed.map(({ id }) => `heal ${id}`))
        return Promise.resolve(healed)
      },
    }
    states.set(2, 'stopped')
    expect((await activeFaults(cluster({ packets }))).map(({ id }) => id)).toEqual(['down-2', 'cut-1', 'cut-2'])
    expect((await healFaults(cluster({ packets }), ['cut-2'])).map(({ id }) => id)).toEqual(['down-2', 'cut-1'])
    expect(await healFaults(cluster({ packets }), 'all')).toEqual([])
    // Who comes back while links are broken may not find the others.
    expect(done).toEqual(['heal cut-2', 'heal cut-1', 'start 2'])
  })

  test('of all finds what a frozen node could not tell', async () => {
    states.set(2, 'paused')
    inside.set(2, [fault('memory-pressure-2-1')])
    expect(await healFaults(cluster(), 'all')).toEqual([])
    expect(done).toEqual(['resume 2', 'heal memory-pressure-2-1'])
  })

  test('of all ends loops before any node is asked, and starts what they left', async () => {
    writeFaultRecord('healed', {
      id: 'restart-loop-2',
      nonce: 'n',
      kind: 'restart-loop',
      node: 2,
      summary: 'again',
      parameters: {},
    })
    states.set(2, 'stopped')
    expect(await healFaults(cluster(), 'all')).toEqual([])
    expect(done).toEqual(['start 2'])
    expect(await activeFaults(cluster())).toEqual([])
  })

  test('tells of a loop whose process has ended', async () => {
    writeFaultRecord('healed', {
      id: 'restart-loop-2',
      nonce: 'n',
      kind: 'restart-loop',
      node: 2,
      summary: 'again',
      parameters: {},
    })
    const handle = (await identify(process.pid))!
    writeFaultProgress('healed', 'restart-loop-2', { process: handle, hits: 3 })
    expect(await activeFaults(cluster())).toMatchObject([{ id: 'restart-loop-2', summary: 'again', hits: 3 }])
    writeFaultProgress('healed', 'restart-loop-2', { process: { ...handle, identity: 'another' }, hits: 3 })
    expect(await activeFaults(cluster())).toMatchObject([
      { summary: 'again; the process that did so has ended by itself', hits: 3 },
    ])
    expect(await healFaults(cluster(), ['restart-loop-2'])).toEqual([])
  })
})

describe('a fault that does not work out on one of several nodes', () => {
  test('is taken back on all', async () => {
    const broken = cluster()
    const half: Cluster = {
      ...broken,
      kill: async id => {
        if (id === 3) throw new Error('node 3 does not die')
        await broken.kill(id)
      },
    }
    const order = { cluster: half, nodes: [1, 2, 3], parameters: {}, proof: false }
    await expect(faultKind('kill').apply(order)).rejects.toThrow('node 3 does not die')
    expect([...states.values()]).toEqual(['running', 'running', 'running'])
  })

  test.each([
    ['kill', 'kill'],
    ['stop', 'stop'],
    ['wipe', 'kill'],
    ['restart', 'stop'],
  ] as const)('%s is taken back when it is under way on no node any more', async (name, verb) => {
    const made = cluster()
    const dying = Promise.withResolvers<void>()
    const half: Cluster = {
      ...made,
      capabilities: new Set([...made.capabilities, 'wipe']),
      wipe: () => Promise.resolve(),
      [verb]: async (id: number) => {
        if (id === 1) throw new Error('node 1 does not die')
        await dying.promise
        await made[verb](id)
      },
    }
    const order = { cluster: half, nodes: [1, 2], parameters: {}, proof: false }
    await Promise.all([
      expect(faultKind(name).apply(order)).rejects.toThrow('node 1 does not die'),
      // Whatever is done about the failure of node 1 has its turn before node 2 has ended.
      new Promise(setImmediate).then(() => dying.resolve()),
    ])
    expect(done).toEqual([`${verb} 2`, 'start 2'])
    expect(states.get(2)).toBe('running')
  })

  test('says why, also when it cannot be taken back', async () => {
    const made = cluster()
    const half: Cluster = {
      ...made,
      kill: async id => {
        if (id === 1) throw new Error('node 1 does not die')
        await made.kill(id)
      },
      start: () => Promise.reject(new Error('no memory')),
    }
    await expect(
      faultKind('kill').apply({ cluster: half, nodes: [1, 2], parameters: {}, proof: false }),
    ).rejects.toThrow('node 1 does not die\nIt could not be taken back: no memory')
  })

  test('a node that does not serve as another version is not started as that one again', async () => {
    const made = cluster()
    const versions = new Map<number, string>()
    const starts: string[] = []
    const half: Cluster = {
      ...made,
      spec: clusterSpec({ runtime: 'process', name: 'healed', engine: 'apache-kafka' }),
      capabilities: new Set([...made.capabilities, 'upgrade']),
      versions: {
        prepare: () => Promise.resolve(),
        set: async (id, version) => {
          await made.clock.sleep(0)
          if (version === undefined) versions.delete(id)
          else versions.set(id, version)
        },
        prove: (_, version) => Promise.resolve(version),
      },
      start: async id => {
        starts.push(`${id} as ${versions.get(id) ?? 'it was'}`)
        if (id === 2 && versions.has(id)) throw new Error('node 2 ended at once')
        await made.start(id)
      },
      waitReady: () => Promise.resolve(),
    }
    const order = { cluster: half, nodes: [1, 2, 3], parameters: { release: '4.3.1' }, proof: false }
    await expect(faultKind('upgrade').apply(order)).rejects.toThrow('node 2 ended at once')
    expect(starts.slice(0, 3)).toEqual(['1 as 4.3.1', '2 as 4.3.1', '3 as 4.3.1'])
    expect(starts.slice(3).sort()).toEqual(['1 as it was', '2 as it was', '3 as it was'])
    expect([...states.values()]).toEqual(['running', 'running', 'running'])
  })

  test('a node that ends again while the others are waited for is not taken for restarted', async () => {
    const made = cluster()
    const half: Cluster = {
      ...made,
      start: async id => {
        await made.start(id)
        if (id === 2 && !isMended) states.set(id, 'dead')
      },
      waitReady: () => {
        isMended = true
        return Promise.resolve()
      },
      logs: () => Promise.resolve('no space left'),
    }
    let isMended = false
    await expect(
      faultKind('restart').apply({ cluster: half, nodes: [1, 2], parameters: {}, proof: false }),
    ).rejects.toThrow('Node 2 was started and ended again. The end of its log:\nno space left')
    expect([...states.values()]).toEqual(['running', 'running', 'running'])
  })

  test('leaves no node frozen', async () => {
    const { nodeFaults: _, ...broken } = cluster()
    const half: Cluster = {
      ...broken,
      pause: async id => {
        if (id === 1) throw new Error('node 1 cannot be frozen')
        await broken.pause(id)
      },
    }
    const order = { cluster: half, nodes: [1, 2], parameters: { for: 5 }, proof: true }
    await expect(faultKind('stall').apply(order)).rejects.toThrow('node 1 cannot be frozen')
    expect(done).toEqual(['pause 2', 'resume 2'])
    const clock = { ...realClock, sleep: () => Promise.reject(new Error('cut off')) }
    await expect(faultKind('stall').apply({ ...order, cluster: { ...broken, clock }, nodes: [2] })).rejects.toThrow(
      'cut off',
    )
    expect(states.get(2)).toBe('running')
  })
})
