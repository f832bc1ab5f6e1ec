/** What is written down of nodes while their power is cut, and while they are found serving, with an engine that does as it is told. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { beforeEach, expect, test, vi } from 'vitest'
import { nodeIds, type ClusterSpec } from '#scripts/cluster/cluster.ts'
import { NodeIntents } from '#scripts/cluster/compose/node-intents.ts'
import { composePath } from '#scripts/cluster/compose/project.ts'
import { wholeLoss } from '#scripts/cluster/process/power.ts'
import { nodeDirectory } from '#scripts/cluster/state.ts'
import { recordOf, useStateFolder } from '../written-cluster.ts'

/** Which containers run, what is done when one is asked for or told to end, and whose volumes lost what was not fsynced. */
const engine = vi.hoisted(() => ({
  running: new Set<string>(),
  onInspect: (_service: string): void => {},
  onKill: (_service: string): void => {},
  cut: [] as string[],
}))

vi.mock(import('#scripts/cluster/compose/docker.ts'), async original => ({
  ...(await original()),
  docker: () => Promise.resolve({ getContainer: (container: string) => containerOf(serviceOf(container)) }) as never,
  ensureImage: () => Promise.resolve(),
  runDocker: () => Promise.resolve(),
}))

vi.mock(import('#scripts/cluster/ready.ts'), async original => ({
  ...(await original()),
  waitUntilReady: () => Promise.resolve(),
}))

vi.mock(import('#scripts/cluster/compose/sweep.ts'), async original => ({
  ...(await original()),
  sweepProject: () => Promise.resolve(),
}))

vi.mock(import('#scripts/cluster/compose/container.ts'), async original => ({
  ...(await original()),
  hasContainerFile: () => Promise.resolve(true),
  runOnVolumes: (container: string) => {
    engine.cut.push(serviceOf(container))
    return Promise.resolve({ exitCode: 0, output: JSON.stringify({ shown: true, text: 'gone' }) })
  },
}))

function serviceOf(container: string): string {
  return container.replace('faultline-powered-', '').replace(/-1$/, '')
}

function containerOf(service: string) {
  return {
    async inspect() {
      await Promise.resolve()
      engine.onInspect(service)
      return { State: { Running: engine.running.has(service), StartedAt: 'then' } }
    },
    wait: () => Promise.resolve(),
    async kill() {
      await Promise.resolve()
      engine.onKill(service)
      engine.running.delete(service)
    },
    start() {
      engine.running.add(service)
      return Promise.resolve()
    },
  }
}

const { ComposeCluster } = await import('#scripts/cluster/compose/compose-cluster.ts')

const name = 'powered'
useStateFolder(name)
const intents = new NodeIntents(name)
let cluster: InstanceType<typeof ComposeCluster>
let spec: ClusterSpec

const serving = { down: false, servedSince: 'then' }
const isCut = { down: true, cut: wholeLoss }

beforeEach(async () => {
  const record = await recordOf({ name, runtime: 'compose', faults: true })
  cluster = new ComposeCluster(record)
  spec = record.spec
  engine.cut.length = 0
  engine.onKill = () => {}
  engine.onInspect = () => {}
  for (const id of nodeIds(spec)) {
    engine.running.add(`broker-${id}`)
    mkdirSync(nodeDirectory(name, id), { recursive: true })
    intents.set(id, serving)
  }
})

const known = () => nodeIds(spec).map(id => intents.of(id))

test('a power failure of several nodes is written down of all before the first of them ends: a command may be cut off there', async () => {
  const before: unknown[] = []
  engine.onKill = () => before.push(known())
  await cluster.powerFailure([1, 2])
  expect(before).toEqual([
    [isCut, isCut, serving],
    [isCut, isCut, serving],
  ])
  expect(engine.cut).toEqual(['broker-1', 'broker-2'])
  // It has taken all that it had to.
  expect(known()).toEqual([{ down: true }, { down: true }, serving])
})

test('a node that ends by itself before it is ended keeps none of the others from what they lose at their next start', async () => {
  engine.onKill = service => {
    if (service === 'broker-1') return
    if (service === 'broker-2') engine.running.delete(service)
    throw new Error(`${service} cannot be ended`)
  }
  await expect(cluster.powerFailure([1, 2, 3])).rejects.toThrow('broker-2 cannot be ended')
  // The last one lives on.
  expect(known()).toEqual([isCut, isCut, serving])
  expect(engine.cut).toEqual([])
  for (const id of [1, 2]) await cluster.start(id)
  expect(engine.cut).toEqual(['broker-1', 'broker-2'])
  expect(known()).toEqual([{ down: false }, { down: false }, serving])
})

test('from a node that still runs nothing is taken, also when the cluster goes down with its data kept', async () => {
  writeFileSync(composePath(name), '')
  engine.running.delete('broker-1')
  for (const id of [1, 2]) intents.set(id, isCut)
  await cluster.down({ keepData: true })
  expect(engine.cut).toEqual(['broker-1'])
})

test.each([
  ['was killed', { down: true }],
  ['has lost its power', isCut],
])('of a node that %s while others were waited for, that is not written over', async (_, intent) => {
  for (const id of nodeIds(spec)) intents.set(id, { down: false })
  // All were found running; the third is asked for once more, as the last.
  let looks = 0
  engine.onInspect = service => {
    if (service !== 'broker-3' || ++looks < 2) return
    intents.set(3, intent)
    engine.running.delete(service)
  }
  await cluster.waitReady()
  expect(looks).toBe(2)
  expect(known()).toEqual([serving, serving, intent])
})

test('a node that still runs, and that another command is about to end, is none that is found serving', async () => {
  for (const id of nodeIds(spec)) intents.set(id, { down: false })
  intents.set(2, isCut)
  intents.set(3, { down: true })
  await cluster.waitReady()
  expect(known()).toEqual([serving, isCut, { down: true }])
})

test('a node that has ended by itself meanwhile is not said to serve', async () => {
  for (const id of nodeIds(spec)) intents.set(id, { down: false })
  let looks = 0
  engine.onInspect = service => {
    if (service === 'broker-3' && ++looks === 2) engine.running.delete(service)
  }
  await cluster.waitReady()
  expect(known()).toEqual([serving, serving, { down: false }])
})
