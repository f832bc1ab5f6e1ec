import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseBrokerConfig } from '#broker/config/parse.ts'
import { nodeIds, type ClusterSpec } from '#scripts/cluster/cluster.ts'
import { containerAddresses, containerPlaces, serviceName } from '#scripts/cluster/compose/container-addresses.ts'
import { withoutFrames } from '#scripts/cluster/compose/container.ts'
import { type ComposeOptions, composeFile, listenerNames } from '#scripts/cluster/compose/generator.ts'
import { composeCommand, composeTopologies, generatedFiles } from '#scripts/cluster/compose/topologies.ts'
import { brokerPort, fullyGrown } from '#scripts/cluster/ports.ts'
import { proxyTopology } from '#scripts/cluster/process/proxied-addresses.ts'
import { rolesOf } from '#scripts/cluster/properties.ts'
import { clusterSpec, type SpecRequest } from '#scripts/cluster/spec.ts'
import { projectRoot } from '#scripts/cluster/state.ts'
import { readyTopologies } from '#scripts/cluster/topology/load.ts'
import { makeContainerSecurity } from '#scripts/container/security.ts'
import { containerSettings } from '#scripts/container/settings.ts'

const folder = path.join(projectRoot, 'compose')
const topologies = await composeTopologies()
const generated = await generatedFiles()

describe('the Compose files', () => {
  test.each([...generated])(`%s is as the topologies say it; if not: ${composeCommand}`, (file, text) => {
    expect(readFileSync(path.join(folder, file), 'utf8')).toBe(text)
  })

  test('are all there are, one of each ready topology', () => {
    const files = readdirSync(folder).filter(file => file !== 'metrics')
    expect(files.sort()).toEqual(topologies.map(({ file }) => file).sort())
    expect(files.toSorted()).toEqual(
      readyTopologies()
        .map(name => `${name}.yaml`)
        .sort(),
    )
  })

  test.each(topologies)('$file gives every node settings that the broker accepts', async ({ spec, text }) => {
    const services = servicesOf(text)
    expect(services.size).toBe(spec.brokers + spec.controllers)
    const mounted = await mountedSettings(spec)
    for (const variables of services.values()) {
      const { config } = parseBrokerConfig(new Map(Object.entries(containerSettings(variables, mounted))))
      expect(config['cluster.id']).toBe('FaultlineCompose000001')
      expect(config['log.dirs']).toEqual(['/var/lib/kafka/data'])
    }
  })

  test.each(topologies)('$file says what it is, how to start it and where clients connect', ({ file, spec, text }) => {
    const [first, ...head] = text.split('\nname:')[0]?.split('\n') ?? []
    expect(first).toMatch(/^# [A-Z].*\./)
    expect(head.join('\n')).toContain(`docker compose -f compose/${file} up --wait`)
    expect(head.join('\n')).toContain(`Clients on this machine: 127.0.0.1:${spec.port}`)
  })

  test('leave out what a plain Compose file cannot have, and say so', () => {
    const stretched = topologies.find(({ file }) => file === 'stretched.yaml')
    expect(stretched?.spec.links).toBeUndefined()
    expect(stretched?.text).toContain('# Left out: what slows the links')
    expect(stretched?.text).toContain('KAFKA_BROKER_RACK: c')
  })

  test('of several engines take each node’s image, without what only ours has', () => {
    const { text = '' } = topologies.find(({ file }) => file === 'mixed-versions.yaml') ?? {}
    const [services = ''] = text.slice(text.indexOf('services:')).split('\nvolumes:')
    const blocks = services.split(/^ {2}(?=(?:broker|controller)-\d+:$)/m).slice(1)
    const images = blocks.map(block => [/^[^:]+/.exec(block)?.[0], /image: (.*)/.exec(block)?.[1] ?? 'ours'])
    expect(Object.fromEntries(images)).toEqual({
      'broker-1': 'apache/kafka:3.9.1',
      'broker-2': 'apache/kafka:4.3.1',
      'broker-3': 'ours',
      'controller-1': 'apache/kafka:3.9.1',
    })
    expect(services.match(/<<: \*node/g)).toHaveLength(1)
  })

  test('quote what Compose would read as something else', () => {
    const spec = clusterSpec({ runtime: 'compose', brokers: 1, settings: { 'a.b': "it's $HOME", c: 'true' } })
    const text = composeFile(spec, { title: ['x'], project: 'p', clusterId: 'id' })
    expect(text).toContain("KAFKA_A_B: 'it''s $$HOME'")
    expect(text).toContain("KAFKA_C: 'true'")
  })
})

describe('the Compose file of a cluster that is to be broken', () => {
  const textOf = (request: Partial<SpecRequest>, more: Partial<ComposeOptions> = {}) =>
    composeFile(clusterSpec({ runtime: 'compose', brokers: 3, faults: true, ...request }), {
      title: ['x'],
      project: 'p',
      clusterId: 'id',
      ...more,
    })

  test('gives each node one volume for its orders and its data, and a first process that can outlive it', () => {
    const text = textOf({})
    expect(text).toContain('  init: true\n  command: [/etc/kafka/docker/run, --fault-control, /var/lib/faultline]')
    // What is removed moves aside until that is durable, and nothing moves from one volume to another.
    expect(text).toContain('  KAFKA_LOG_DIRS: /var/lib/faultline/data')
    for (const id of [1, 2, 3]) expect(text).toContain(`      - broker-${id}:/var/lib/faultline`)
    expect(text.split('\nvolumes:\n')[1]).toBe('  broker-1:\n  broker-2:\n  broker-3:\n')
    const given = { dataDirectory: (id: number) => `/mine/${id}` }
    const elsewhere = textOf({ dataDir: '/mine' }, given)
    for (const id of [1, 2, 3]) {
      expect(elsewhere).toContain(
        `      - '/mine/${id}:/var/lib/kafka/data'\n      - broker-${id}-faults:/var/lib/faultline`,
      )
      expect(textOf({ engine: 'apache-kafka' })).toContain(
        `      - broker-${id}:/var/lib/kafka/data\n      - broker-${id}-faults:/var/lib/faultline`,
      )
    }
    expect(elsewhere).toContain('  KAFKA_LOG_DIRS: /var/lib/kafka/data')
    expect(elsewhere.split('\nvolumes:\n')[1]).toContain('  broker-3-faults:')
    expect(textOf({ faults: false })).not.toMatch(/-faults|fault-control|init:/)
  })

  test('tells the library in front of Apache Kafka where they are', () => {
    const text = textOf({ engine: 'apache-kafka:4.3.1' }, { kafkaImage: 'mine/kafka:1' })
    expect(text).toContain('  FAULTLINE_FAULTS: /var/lib/faultline')
    const [, services = ''] = text.split('services:')
    expect(services.match(/ {4}image: mine\/kafka:1\n {4}init: true\n/g)).toHaveLength(3)
    expect(services).not.toMatch(/read_only|command:|inspector|<<: \*node/i)
  })

  const shapes = [{}, { brokers: 2, controllers: 3 }, { brokers: 9 }, { brokers: 1 }, { security: 'mtls' }]

  test.each(shapes)('has nodes that a proxy reaches, and that know the proxy alone: %j', shape => {
    const spec = clusterSpec({ runtime: 'compose', proxy: true, ...shape })
    // Of brokers that may join there are the listeners already, and none of the links.
    const { links } = proxyTopology(fullyGrown(spec), containerPlaces(spec))
    const ports = links.map(({ listen }) => listen.port)
    expect(new Set(ports).size).toBe(ports.length)
    for (const id of nodeIds(spec)) {
      const { listeners, controllers, voters } = containerAddresses(spec, id)
      const roles = rolesOf(spec, id)
      const bound = [
        ...(roles.includes('broker') ? listeners : []),
        ...(roles.includes('controller') ? controllers : []),
      ]
      const targets = links.filter(({ to }) => to === id).map(({ target }) => target)
      expect(new Set(targets.map(({ host }) => host))).toEqual(new Set([serviceName(spec, id)]))
      const sorted = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)
      expect(sorted(bound.map(({ port }) => port))).toEqual(sorted(targets.map(({ port }) => port)))
      const [clients, ...others] = listeners
      expect(clients?.advertised).toBe(`127.0.0.1:${brokerPort(spec, id)}`)
      const told = [...others.map(({ advertised }) => advertised), ...voters.map(voter => voter.split('@')[1] ?? '')]
      for (const address of told) {
        const [host, port] = address.split(':')
        expect(host).toBe('proxy')
        expect(ports).toContain(Number(port))
      }
    }
  })

  test('publishes the ports of clients at the proxy, and the control of it anywhere', () => {
    const text = textOf({ proxy: true, faults: false, port: 19_092 })
    const [before = '', proxy = ''] = text.split('\n  proxy:\n')
    expect(before).toContain('depends_on: [proxy]')
    expect(before).not.toMatch(/- '127.0.0.1:19(09|10)/)
    // Also of those that may join.
    for (const id of [1, 2, 3, 4, 5, 6, 7, 8, 9]) expect(proxy).toContain(`- '127.0.0.1:${19_091 + id}:${19_999 + id}'`)
    expect(proxy).toContain("- '127.0.0.1::9640'")
    const topology = /FAULTLINE_PROXY_TOPOLOGY: '(.*)'/.exec(proxy)?.[1] ?? ''
    expect((JSON.parse(topology) as { links: unknown[] }).links).toHaveLength(3 + 9 + 9)
  })
})

test('the output of a container without a terminal is put together from its frames', () => {
  const frame = (text: string) => Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, text.length]), Buffer.from(text)])
  expect(withoutFrames(Buffer.concat([frame('one\n'), frame('two\n')]))).toBe('one\ntwo\n')
})

/** What a node of a secured cluster finds in the volume. */
async function mountedSettings(spec: ClusterSpec): Promise<string | undefined> {
  if (spec.security === undefined) return undefined
  const directory = mkdtempSync(path.join(tmpdir(), 'faultline-compose-'))
  try {
    await makeContainerSecurity({
      kind: spec.security,
      listeners: listenerNames(spec),
      hosts: ['broker-1'],
      bootstrap: ['127.0.0.1:9092'],
      directory,
    })
    return readFileSync(path.join(directory, 'server.properties'), 'utf8')
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The variables of each service: the common ones and its own. */
function servicesOf(text: string): Map<string, Record<string, string>> {
  const variables = (block: string) =>
    Object.fromEntries(
      [...block.matchAll(/^\s+([A-Z][A-Z0-9_]+): (.*)$/gm)].map(([, key = '', value = '']) => [
        key,
        value.replaceAll(/^'|'$/g, ''),
      ]),
    )
  const [head = '', services = ''] = text.split('\nservices:\n')
  const common = variables(head)
  const blocks = services.split(/^ {2}(?=(?:broker|controller)-\d+:$)/m).filter(block => block.includes('environment:'))
  return new Map(blocks.map(block => [block.slice(0, block.indexOf(':')), { ...common, ...variables(block) }]))
}
