/** Nodes that are started at the same time, behind a fault proxy that does not run. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { nodeIds } from '#scripts/cluster/cluster.ts'
import type { ProcessEngine } from '#scripts/cluster/process/engine.ts'
import { ProcessCluster } from '#scripts/cluster/process/process-cluster.ts'
import { nodeDirectory } from '#scripts/cluster/state.ts'
import { recordOf, useStateFolder } from '../written-cluster.ts'

const name = 'behind'
const home = useStateFolder(name)
let cluster: ProcessCluster
afterEach(() => cluster.endAll())

/** How many nodes are to come this far before any of them goes on. */
let together = 1
let waiting: (() => void)[] = []
function meet(): Promise<void> {
  return new Promise(resolve => {
    waiting.push(resolve)
    if (waiting.length < together) return
    for (const goOn of waiting) goOn()
    waiting = []
  })
}

/** Processes that only live until the test ends. */
const engine: ProcessEngine = {
  nodeMemoryBytes: 0,
  readyTimeoutMs: 1_000,
  available: () => Promise.resolve({ available: true }),
  prepare: () => Promise.resolve(),
  // The last step before the proxy.
  format: meet,
  properties: () => ({}),
  launch: () => ({
    command: process.execPath,
    args: ['-e', 'process.stdin.once("close", () => process.exit()).resume()'],
    environment: {},
  }),
  inVersion: () => engine,
  mark: '',
}

test('one of them starts it, with the faults that the cluster is made with; the others go on with that one', async () => {
  const links = [{ kind: 'latency', from: [1], to: [2], parameters: { delay: 5 } }]
  const record = await recordOf({ name, runtime: 'process', proxy: true, links })
  const spec = { ...record.spec, tied: true }
  for (const id of nodeIds(spec)) mkdirSync(nodeDirectory(name, id), { recursive: true })
  // Each by a command of its own.
  const command = () => new ProcessCluster({ ...record, spec }, engine)
  cluster = command()
  together = nodeIds(spec).length
  await Promise.all(nodeIds(spec).map(id => command().start(id)))
  expect((await cluster.links!.faults()).map(({ id }) => id)).toEqual(['latency-1'])
  const folder = path.join(home(), name, 'proxy')
  expect(readFileSync(path.join(folder, 'proxy.log'), 'utf8')).toMatch(/^\d+ links, control on port \d+\n$/)
  expect(existsSync(path.join(folder, 'start.lock'))).toBe(false)
  // Nor does a command that comes later give it any.
  together = 1
  await cluster.kill(1)
  await cluster.start(1)
  expect(await cluster.links!.faults()).toHaveLength(1)
})
