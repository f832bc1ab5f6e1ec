/** Nodes that are started behind a fault proxy whose container does not run, by an engine that only notes what it is asked for. */
import { mkdirSync } from 'node:fs'
import { beforeEach, expect, test, vi } from 'vitest'
import { nodeIds } from '#scripts/cluster/cluster.ts'
import { nodeDirectory } from '#scripts/cluster/state.ts'
import { proxyControlPort } from '#scripts/container/proxy-variables.ts'
import { serveControl } from '#scripts/proxy/control.ts'
import type { FaultState, ProxyControl } from '#scripts/proxy/model.ts'
import { recordOf, useStateFolder } from '../written-cluster.ts'

/** Whether each container that is there runs, where the proxy takes orders, and what was done. */
const engine = vi.hoisted(() => ({ running: new Map<string, boolean>(), controlPort: 0, done: [] as string[] }))

vi.mock('#scripts/cluster/compose/docker.ts', () => ({
  docker: () => Promise.resolve({ getContainer: (container: string) => containerOf(container) }),
  runDocker(words: readonly string[]) {
    const service = words.at(-1)!
    engine.done.push(`makes ${service}`)
    engine.running.set(`faultline-behind-${service}-1`, true)
    return Promise.resolve()
  },
}))

function containerOf(container: string) {
  return {
    inspect() {
      const isRunning = engine.running.get(container)
      if (isRunning === undefined)
        return Promise.reject(Object.assign(new Error('no such container'), { statusCode: 404 }))
      const Ports = isRunning ? { [`${proxyControlPort}/tcp`]: [{ HostPort: String(engine.controlPort) }] } : {}
      return Promise.resolve({ Id: container, State: { Running: isRunning }, NetworkSettings: { Ports } })
    },
    start() {
      engine.done.push(`starts ${container.replace('faultline-behind-', '').replace(/-1$/, '')}`)
      engine.running.set(container, true)
      return Promise.resolve()
    },
  }
}

const { ComposeCluster } = await import('#scripts/cluster/compose/compose-cluster.ts')

const name = 'behind'
useStateFolder(name)

/** Of a proxy that notes what it is asked for. */
const control: ProxyControl = {
  links: () => Promise.resolve([]),
  addLinks: links => {
    engine.done.push(`links ${links.length > 0}`)
    return Promise.resolve([])
  },
  removeLinks: () => Promise.resolve(),
  faults: () => Promise.resolve([]),
  add({ kind }) {
    engine.done.push(`adds ${kind}`)
    return Promise.resolve({} as FaultState)
  },
  heal: () => Promise.resolve([]),
  release: () => Promise.resolve(0),
  probe: () => Promise.reject(new Error('nobody asks')),
}

beforeEach(async () => {
  engine.running.clear()
  engine.done.length = 0
  engine.controlPort = await serveControl(control)
})

/** Each by a command of its own. */
async function startAll(proxy: boolean | undefined): Promise<readonly string[]> {
  const links = [{ kind: 'latency', from: [1], to: [2], parameters: { delay: 5 } }]
  const record = await recordOf({ name, runtime: 'compose', proxy: true, links })
  if (proxy !== undefined) engine.running.set('faultline-behind-proxy-1', proxy)
  for (const id of nodeIds(record.spec)) {
    mkdirSync(nodeDirectory(name, id), { recursive: true })
    engine.running.set(`faultline-behind-broker-${id}-1`, false)
  }
  await Promise.all(nodeIds(record.spec).map(id => new ComposeCluster(record).start(id)))
  return engine.done
}

const nodes = ['starts broker-1', 'starts broker-2', 'starts broker-3']
const withLinks = ['links true', 'adds latency']

test.each([
  [
    'has ended, it is started before any of them, once, with the faults of the cluster',
    false,
    ['starts proxy', ...withLinks],
  ],
  ['was removed by hand, it is made in the same way', undefined, ['makes proxy', ...withLinks]],
  ['runs, it is left alone', true, []],
])('where the proxy %s', async (_, proxy, first) => {
  const done = await startAll(proxy)
  expect(done.slice(0, first.length)).toEqual(first)
  expect(done.slice(first.length).sort()).toEqual(nodes)
})
