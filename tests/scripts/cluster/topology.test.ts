import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { processNodeProperties } from '#scripts/cluster/process/node-files.ts'
import { engineOf, enginesOf, engineText } from '#scripts/cluster/engine-name.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { projectRoot } from '#scripts/cluster/state.ts'
import { checkedTopology } from '#scripts/cluster/topology/check.ts'
import { loadTopology, readyTopologies, requestOf, requireFit } from '#scripts/cluster/topology/load.ts'
import type { Topology } from '#scripts/cluster/topology/topology.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'faultline-topology-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const specOf = (topology: Topology) => clusterSpec({ runtime: 'process', ...requestOf(checkedTopology(topology)) })

describe('a topology', () => {
  test.each([
    [[], 'expected an object, got []'],
    [{ brockers: 3 }, 'brockers: is not known; expected summary, name, runtime, engine, brokers,'],
    [{ brokers: 0 }, 'brokers: expected a whole number from 1 to 99, got 0'],
    [{ brokers: 'three' }, 'brokers: expected a number of nodes, or a list with one entry each, got "three"'],
    [{ brokers: [] }, 'brokers: expected 1 to 99 entries, got 0'],
    [
      { brokers: [{ rack: 'a' }, { rak: 'b' }] },
      'brokers[1].rak: is not known; expected rack, settings, logDirs, engine',
    ],
    [{ brokers: [{ rack: 7 }] }, 'brokers[0].rack: expected a text, got 7'],
    [{ brokers: [{ logDirs: 0 }] }, 'brokers[0].logDirs: expected a whole number from 1 to 16, got 0'],
    [
      { brokers: [{ engine: 'apache-kafka:4' }] },
      'brokers[0].engine: an engine apache-kafka:4: expected a release with',
    ],
    [{ controllers: [{ engine: 'kafka' }] }, 'controllers[0].engine: an engine must be one of faultline, apache-kafka'],
    [{ engine: 'faultline:1' }, 'engine: an engine faultline:1: the engine faultline is the one of this toolkit'],
    [{ metrics: 'yes' }, 'metrics: expected true or false, got "yes"'],
    [
      { controllers: [{ settings: { a: [] } }] },
      'controllers[0].settings["a"]: expected a text, a number, true or false',
    ],
    [{ security: 'ssl' }, 'security: expected one of none, sasl, tls, mtls, sasl-tls, got "ssl"'],
    [{ links: [{ kind: 'latency', from: 1 }] }, 'links[0].to: is missing'],
    [{ links: [{ kind: 'lag', from: 1, to: 2 }] }, 'links[0].kind: expected one of'],
    [{ links: [{ kind: 'latency', from: 'x', to: 2 }] }, 'links[0].from: expected one of client, all, got "x"'],
    [
      { links: [{ kind: 'latency', from: { rack: 'a' }, to: 2, parameters: { delay: 1 } }] },
      'links[0].from: no node is in the rack "a"',
    ],
    [{ links: [{ kind: 'latency', from: 1, to: 2, parameters: { delay: 'soon' } }] }, 'links[0].parameters: '],
    [
      { proxy: false, links: [{ kind: 'latency', from: 1, to: 2, parameters: { delay: 1 } }] },
      'proxy: links are broken by the proxy',
    ],
    [{ brokers: [{ settings: { 'node.id': 4 } }] }, 'brokers[0].settings["node.id"]: is decided by the toolkit itself'],
  ])('%j is refused by the place of what is wrong', (value, message) => {
    expect(() => checkedTopology(value)).toThrow(message)
  })

  const late = { kind: 'latency', from: 1, parameters: { delay: 1 } }
  test.each([
    [{ settings: { foo: 1 } }, 'settings is not understood: unknown setting foo'],
    [{ brokers: [{}, { settings: { foo: 1 } }] }, 'brokers[1].settings is not understood: unknown setting foo'],
    [{ controllers: [{ settings: { foo: 1 } }] }, 'controllers[0].settings is not understood: unknown setting foo'],
    [{ links: [{ ...late, to: 7 }] }, 'links[0].to: there is no node 7; the cluster has 1, 2, 3.'],
    [
      {
        brokers: 1,
        links: [
          { ...late, to: 1 },
          { ...late, from: [101], to: 1 },
        ],
      },
      'links[1].from: there is no node 101',
    ],
    [
      { brokers: 1, links: [{ ...late, from: 'client', to: 1, listener: 'controller' }] },
      'links[0]: There is no link from',
    ],
    [
      { brokers: 1, links: [{ kind: 'drop', from: 'client', to: 1, parameters: { topic: 'orders' } }] },
      'links[0].parameters.topic: newer requests name topics by their ids',
    ],
  ])('%j does not fit the cluster, and its place is named', async (value, message) => {
    const topology = checkedTopology(value)
    const refused = requireFit('mine.json', topology, specOf(topology))
    await expect(refused).rejects.toThrow(`--topology mine.json: ${message}`)
    await expect(refused).rejects.toThrow(/[^.]\.$/)
  })

  test('fits where an option gives it the nodes that its links name', async () => {
    const topology = checkedTopology({ links: [{ ...late, to: 7 }] })
    await requireFit('mine.json', topology, clusterSpec({ runtime: 'process', ...requestOf(topology), brokers: 7 }))
  })

  test('ends its messages with one full stop', async () => {
    const file = path.join(folder, 'stops.json')
    writeFileSync(file, '{"links": [{"kind": "latency", "from": 1, "to": 2}]}')
    await expect(loadTopology(file)).rejects.toThrow(/[^.]\.$/)
  })

  test('is refused where its module ends the process while it is read', () => {
    const file = path.join(folder, 'exits.mjs')
    writeFileSync(file, 'process.exit(0)')
    const command = path.join(projectRoot, 'faultline')
    const { status, stderr } = spawnSync(command, ['up', '--topology', file, '--name', 'exits'], { encoding: 'utf8' })
    expect(stderr).toContain('the module ended the process while it was read')
    expect(status).toBe(2)
  })

  test('gives each node what it has of its own, over what all have', () => {
    const spec = specOf({
      brokers: [{ rack: 'a', settings: { 'num.io.threads': 2 } }, { rack: 'b', logDirs: 3 }, {}],
      settings: { 'num.io.threads': 4, 'auto.create.topics.enable': false },
      logDirs: 2,
    })
    const [first, second, third] = [1, 2, 3].map(id => processNodeProperties(spec, id))
    expect(first).toMatchObject({ 'broker.rack': 'a', 'num.io.threads': '2', 'auto.create.topics.enable': 'false' })
    expect(second).toMatchObject({ 'broker.rack': 'b', 'num.io.threads': '4' })
    expect(third?.['broker.rack']).toBeUndefined()
    expect([first, second, third].map(node => node?.['log.dirs']?.split(',').length)).toEqual([2, 3, 2])
  })

  test('gives each node the engine that it names, and the cluster’s where it names none', () => {
    const spec = specOf({
      engine: 'apache-kafka:4.0.0',
      brokers: [{ engine: 'apache-kafka:3.9.1' }, {}, { engine: 'faultline' }],
      controllers: 1,
    })
    expect([1, 2, 3, 101].map(id => engineText(engineOf(spec, id)))).toEqual([
      'apache-kafka:3.9.1',
      'apache-kafka:4.0.0',
      'faultline',
      'apache-kafka:4.0.0',
    ])
    expect(enginesOf(spec)).toEqual(['apache-kafka:3.9.1', 'apache-kafka:4.0.0', 'faultline'])
  })

  test.each([
    [{ runtime: 'compose', brokers: [{ engine: 'apache-kafka' }] }, 'Nodes with engines of their own are not there on'],
    [
      { faults: true, brokers: [{ engine: 'apache-kafka:3.9.1' }, {}] },
      '--faults is not there for nodes of several engines, and this cluster has faultline and apache-kafka.',
    ],
    [{ metrics: true, engine: 'apache-kafka' }, 'No node of this cluster has metrics for Prometheus'],
    [{ metrics: true, runtime: 'simulated' }, 'Metrics for Prometheus are not there on the runtime simulated'],
  ] as const)('%j is refused, since no cluster can be that', (topology, message) => {
    expect(() => specOf(topology)).toThrow(message)
  })

  test('turns racks into the nodes that are in them, both ways where it says so', () => {
    const spec = specOf({
      brokers: [{ rack: 'a' }, { rack: 'b' }, { rack: 'b' }],
      controllers: [{ rack: 'a' }],
      links: [{ kind: 'latency', from: { rack: 'a' }, to: { rack: 'b' }, bothWays: true, parameters: { delay: 9 } }],
    })
    expect(spec.proxy).toBe(true)
    expect(spec.links).toEqual([
      { kind: 'latency', from: [1, 101], to: [2, 3], parameters: { delay: 9 } },
      { kind: 'latency', from: [2, 3], to: [1, 101], parameters: { delay: 9 } },
    ])
  })
})

describe('a topology file', () => {
  const write = (name: string, text: string): string => {
    const file = path.join(folder, name)
    writeFileSync(file, text)
    return file
  }

  test('is JSON, or a module with a default export', async () => {
    expect(await loadTopology(write('a.json', '{ "brokers": 5 }'))).toEqual({ brokers: 5 })
    const module = write('a.ts', 'const count: number = 2\nexport default { brokers: count }\n')
    expect(await loadTopology(module)).toEqual({ brokers: 2 })
  })

  test.each([
    ['b.json', '{ "brokers": ', 'cannot be read: '],
    ['b.ts', 'export const brokers = 3\n', 'it has no default export'],
    ['c.ts', 'throw new Error("not today")\n', 'not today'],
    ['d.json', '{ "port": "9092" }', 'port: expected a whole number from 0 to 65535, got "9092"'],
  ])('%s is refused by its name and with the reason', async (name, text, message) => {
    const file = write(name, text)
    await expect(loadTopology(file)).rejects.toThrow(`--topology ${file}`)
    await expect(loadTopology(file)).rejects.toThrow(message)
  })

  test('that is not there is answered with the ready ones', async () => {
    await expect(loadTopology('nothing.json')).rejects.toMatchObject({
      message: '--topology nothing.json cannot be read: there is no such file.',
      remedy: expect.stringContaining(
        'one of five, metrics, mixed-versions, one, racks, secured, stretched, three,',
      ) as string,
    })
  })

  test('is there for what people start with, and each makes a cluster', async () => {
    const names = readyTopologies()
    expect(names).toEqual(
      expect.arrayContaining([
        'one',
        'three',
        'five',
        'three-controllers-three-brokers',
        'racks',
        'secured',
        'stretched',
        'metrics',
        'mixed-versions',
      ]),
    )
    for (const name of names) expect(specOf(await loadTopology(name)).brokers).toBeGreaterThan(0)
  })
})
