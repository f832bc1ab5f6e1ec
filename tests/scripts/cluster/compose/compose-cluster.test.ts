/** Nodes that are started at the same time and whose containers are to be made, by an engine that only notes what it is asked for. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { keepStateIn, nodeDirectory } from '#scripts/cluster/state.ts'

/** Images of the containers that are there, where their volumes are, and what was done, in the order in which it began and ended. */
const engine = vi.hoisted(() => ({
  images: new Map<string, string>(),
  volumes: [] as string[],
  done: [] as string[],
  removed: [] as string[],
}))

vi.mock('#scripts/cluster/compose/docker.ts', () => ({
  docker: () => Promise.resolve({ getContainer: (container: string) => containerOf(container) }),
  async runDocker(words: readonly string[]) {
    const service = words.at(-1)!
    engine.done.push(`makes ${service}`)
    await new Promise<void>(resolve => setImmediate(resolve))
    engine.images.set(`faultline-made-${service}-1`, 'a new one')
    engine.done.push(`made ${service}`)
  },
}))

vi.mock(import('#scripts/cluster/compose/container.ts'), async original => ({
  ...(await original()),
  runOnVolumes: (container: string, words: readonly string[]) => {
    engine.done.push(`forgets ${serviceOf(container)}`)
    engine.removed.push(...words.slice(4))
    return Promise.resolve({ exitCode: 0, output: '' })
  },
}))

vi.mock('#scripts/shell.ts', () => ({
  sh: () => async () => {
    const services = Object.fromEntries([1, 2, 3].map(id => [`broker-${id}`, { image: 'a new one' }]))
    return Promise.resolve({ ok: true, stdout: JSON.stringify({ services }) })
  },
}))

function serviceOf(container: string): string {
  return container.replace('faultline-made-', '').replace(/-1$/, '')
}

function containerOf(container: string) {
  return {
    inspect: async () => {
      const image = engine.images.get(container)
      if (image === undefined) throw Object.assign(new Error('no such container'), { statusCode: 404 })
      // Who is made runs.
      const [Config, State] = [{ Image: image }, { Running: image === 'a new one' }]
      const Mounts = engine.volumes.map(Destination => ({ Destination }))
      return Promise.resolve({
        Id: `${container} of ${image}`,
        Image: image,
        Config,
        State,
        Mounts,
        NetworkSettings: {},
      })
    },
    remove: async () => {
      engine.done.push(`removed ${serviceOf(container)}`)
      engine.images.delete(container)
      await Promise.resolve()
    },
  }
}

const { ComposeCluster } = await import('#scripts/cluster/compose/compose-cluster.ts')
const { imagesFile } = await import('#scripts/cluster/compose/node-versions.ts')

const name = 'made'
const spec = clusterSpec({ runtime: 'compose', name })
let home: string

beforeEach(() => {
  home = mkdtempSync(path.join(tmpdir(), 'faultline-made-'))
  keepStateIn(home, name)
  for (const id of [1, 2, 3]) mkdirSync(nodeDirectory(name, id), { recursive: true })
  engine.images.clear()
  engine.volumes.length = 0
  engine.done.length = 0
  engine.removed.length = 0
})
afterEach(() => rmSync(home, { recursive: true }))

/** Each by a command of its own. */
async function startAll(faults = false): Promise<readonly string[]> {
  await Promise.all([1, 2, 3].map(id => command(faults).start(id)))
  return engine.done
}

function command(faults: boolean, settings: Readonly<Record<string, string>> = {}) {
  const record = {
    version: 1,
    spec: { ...spec, faults, settings },
    clusterId: '',
    phase: 'up',
    owner: { pid: 0, identity: '' },
    foreignData: [],
  } as const
  return new ComposeCluster(record)
}

/** What was done for each node, one node after the other, whichever came first. */
function inTurns(done: readonly string[], ...steps: readonly string[]): void {
  const turns = [0, 1, 2].map(turn => done.slice(turn * steps.length, (turn + 1) * steps.length).join(', '))
  const expected = [1, 2, 3].map(id => steps.map(step => `${step} broker-${id}`).join(', '))
  expect(new Set(turns)).toEqual(new Set(expected))
}

test('Compose makes removed containers one after the other: the command that is noted is the one that runs', async () => {
  inTurns(await startAll(), 'makes', 'made')
})

test('a container is removed in the turn in which it is made anew, so that nobody who waits too long is left without', async () => {
  for (const id of [1, 2, 3]) engine.images.set(`faultline-made-broker-${id}-1`, 'an old one')
  writeFileSync(imagesFile(name), '{}')
  inTurns(await startAll(), 'removed', 'makes', 'made')
})

test('what is noted as not fsynced is forgotten in that turn as well: whoever waits too long goes on with the old container', async () => {
  for (const id of [1, 2, 3]) engine.images.set(`faultline-made-broker-${id}-1`, 'an old one')
  writeFileSync(imagesFile(name), '{}')
  inTurns(await startAll(true), 'forgets', 'removed', 'makes', 'made')
})

test('a node that another command has started meanwhile is left alone', async () => {
  engine.images.set(`faultline-made-broker-1-1`, 'an old one')
  writeFileSync(imagesFile(name), '{}')
  const both = await Promise.allSettled([command(true).start(1), command(true).start(1)])
  const refusals = both.flatMap(each => (each.status === 'rejected' ? [String(each.reason)] : []))
  expect(refusals).toEqual(['ToolkitError: Cannot start node 1: it is running.'])
  expect(engine.done).toEqual(['forgets', 'removed', 'makes', 'made'].map(step => `${step} broker-1`))
})

test('an exchanged disk has no metadata log of its own either; one that nobody can reach is refused before anything is removed', async () => {
  engine.images.set('faultline-made-broker-1-1', 'an old one')
  const apart = command(false, { 'metadata.log.dir': '/var/metadata/log' })
  await expect(apart.wipe(1)).rejects.toThrow('its metadata.log.dir, /var/metadata/log, lies in no volume.')
  expect(engine.done).toEqual([])
  engine.volumes.push('/var/lib/kafka/data', '/var/metadata')
  await apart.wipe(1)
  expect(engine.removed).toContain('/var/metadata/log/__cluster_metadata-0')
  expect(engine.removed).toContain('/var/metadata/log/meta.properties')
  expect(engine.removed).not.toContain('/var/metadata/log')
})

test('of a disk with all in one place nothing more is removed', async () => {
  engine.images.set('faultline-made-broker-1-1', 'an old one')
  await command(false).wipe(1)
  expect(engine.removed).toEqual([])
})
