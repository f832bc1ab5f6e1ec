import { describe, expect, test } from 'vitest'
import { brokerIds, controllerIds, nodeIds, type ClusterSpec } from '#scripts/cluster/cluster.ts'
import { fullyGrown, portsOf, portSpan } from '#scripts/cluster/ports.ts'
import { processNodeProperties } from '#scripts/cluster/process/node-files.ts'
import { proxyTopology } from '#scripts/cluster/process/proxied-addresses.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { parseWords } from '#scripts/commands/fault-words.ts'
import { completeParameters, linkFaultKind, linkFaultKinds } from '#scripts/proxy/kinds.ts'
import type { FaultRequest, LinkDescription } from '#scripts/proxy/model.ts'
import { selectLinks } from '#scripts/proxy/select-links.ts'

const spec = (request: Partial<Parameters<typeof clusterSpec>[0]> = {}): ClusterSpec =>
  clusterSpec({ runtime: 'process', proxy: true, port: 10_000, ...request })

function selected(kind: string, request: Omit<FaultRequest, 'kind'>, of = spec()): string[] {
  const parameters = completeParameters(linkFaultKind(kind), request.parameters ?? {})
  return selectLinks(proxyTopology(of).links, { kind, ...request, parameters }).map(
    ({ link, ways }) => `${link}${ways.length === 2 ? '' : ` ${ways[0]}`}`,
  )
}

describe('the links of a fault', () => {
  test('are the connections from one to the other', () => {
    expect(selected('cut', { from: [2], to: [1] })).toEqual(['2->1', '2->1/controller'])
    expect(selected('cut', { from: [2], to: [1], listener: 'broker' })).toEqual(['2->1'])
    expect(selected('cut', { from: ['client'], to: ['all'] })).toEqual(['client->1', 'client->2', 'client->3'])
    expect(selected('cut', { from: ['all'], to: [1], listener: 'client' })).toEqual(['client->1'])
    expect(
      selected('black-hole', { from: [2], to: [1], listener: 'broker', parameters: { direction: 'response' } }),
    ).toEqual(['2->1 response'])
  })

  test('are refused where somebody who is named has none', () => {
    const from = ['client', 1] as const
    expect(() => selected('cut', { from, to: ['all'], listener: 'controller' })).toThrow(
      'no link from client to all at',
    )
    const own = spec({ controllers: 1 })
    expect(() => selected('cut', { from: ['client'], to: [1, 101] }, own)).toThrow('no link from client to 101')
  })

  test.each([
    ['9-3', 'from the highest to the lowest'],
    ['99', 'no request has --versions 99: there are Produce up to '],
    ['99+', 'no request has --versions 99+'],
  ])('are not broken for requests of versions %s', (versions, problem) => {
    const complete = (given: string) => completeParameters(linkFaultKind('drop'), { api: 'Produce', versions: given })
    expect(() => complete(versions)).toThrow(problem)
    for (const good of ['0-2', '7', '3+']) expect(complete(good)['versions']).toBe(good)
  })

  test('of a partition are whatever brings words of one to the other', () => {
    const broker = { listener: 'broker' } as const
    expect(selected('partition', { from: [1], to: [2, 3], ...broker })).toEqual([
      '1->2 request',
      '1->3 request',
      '2->1 response',
      '3->1 response',
    ])
    expect(selected('partition', { from: [1], to: [2], ...broker, parameters: { both: true } })).toEqual([
      '1->2',
      '2->1',
    ])
    expect(selected('partition', { from: [1], to: ['client'] })).toEqual(['client->1 response'])
    expect(selected('partition', { from: ['all'], to: [1], ...broker })).not.toContain('1->1 request')
  })

  test('are refused where there is none', () => {
    expect(() => selected('cut', { from: [9], to: [1] })).toThrow('--from 9')
    expect(() => selected('cut', { from: ['client'], to: [1], listener: 'controller' })).toThrow('There is no link')
    expect(() => selected('cut', { from: [1], to: ['client'] })).toThrow('--to client')
  })
})

describe('the nodes of a cluster behind a proxy', () => {
  const shapes = [spec(), spec({ brokers: 2, controllers: 3 }), spec({ brokers: 9 }), spec({ brokers: 1 })]

  test('take ports that are theirs alone, within the span', () => {
    for (const shape of shapes) {
      const ports = portsOf(shape).map(({ port }) => port)
      expect(new Set(ports).size).toBe(ports.length)
      expect(Math.max(...ports)).toBeLessThanOrEqual(shape.port + portSpan(shape))
    }
  })

  test('bind the targets of the links, and tell others the ports of the proxy alone', () => {
    for (const shape of shapes) {
      // Of brokers that may join there are the listeners already, and none of the links.
      const { links } = proxyTopology(fullyGrown(shape))
      const proxyPorts = new Set(links.map(({ listen }) => listen.port))
      expect(proxyTopology(shape).links).toHaveLength(
        brokerIds(shape).length * (1 + brokerIds(shape).length) + nodeIds(shape).length * controllerIds(shape).length,
      )
      for (const id of nodeIds(shape)) {
        const properties = processNodeProperties(shape, id)
        const ports = (name: string) => [...(properties[name] ?? '').matchAll(/:(\d+)/g)].map(match => Number(match[1]))
        const targets = links.filter(({ to }) => to === id).map(({ target }) => target.port)
        expect(ports('listeners').toSorted((a, b) => a - b)).toEqual(targets.toSorted((a, b) => a - b))
        for (const port of [...ports('advertised.listeners'), ...ports('controller.quorum.voters')])
          expect(proxyPorts).toContain(port)
      }
    }
  })

  test('keep what they have when others join, whose ports nobody has', () => {
    for (const shape of shapes) {
      const room = 9 - nodeIds(shape).length
      for (let added = 1; added <= room; added++) {
        const grown = { ...shape, added }
        const names = (links: readonly LinkDescription[]) => links.map(link => JSON.stringify(link))
        expect(names(proxyTopology(grown).links)).toEqual(
          expect.arrayContaining(names(proxyTopology({ ...shape, added: added - 1 }).links)),
        )
        for (const id of nodeIds(shape))
          expect(processNodeProperties(grown, id)).toEqual(processNodeProperties(shape, id))
        const ports = portsOf(grown).map(({ port }) => port)
        expect(new Set(ports).size).toBe(ports.length)
        expect(ports).toEqual(expect.arrayContaining(portsOf(shape).map(({ port }) => port)))
        expect(Math.max(...ports)).toBeLessThanOrEqual(shape.port + portSpan(shape))
      }
    }
  })

  test('are nine at most, and no simulated ones', () => {
    expect(() => spec({ brokers: 10 })).toThrow('at most 9 nodes')
    expect(() => spec({ runtime: 'simulated' })).toThrow('--proxy is not there on the runtime simulated')
  })
})

describe('parameters of faults', () => {
  const complete = (kind: string, ...words: string[]) =>
    completeParameters(linkFaultKind(kind), parseWords({ ...linkFaultKind(kind), targets: 'links' }, words).parameters)

  test('have defaults, come as words, and are checked', () => {
    expect(complete('latency', '--delay', '100')).toEqual({
      delay: 100,
      jitter: 0,
      distribution: 'uniform',
      direction: 'both',
      seed: 1,
    })
    expect(complete('partition', '--both')).toEqual({ both: true })
    expect(complete('drop', '--api=Produce', '--nth', '3')).toMatchObject({
      api: 'Produce',
      nth: 3,
      on: 'request',
      then: 'close',
    })
    expect(() => complete('latency')).toThrow('needs --delay')
    expect(() => complete('latency', '--delay', '-1')).toThrow('expected a number from 0')
    expect(() => complete('latency', '--delay', '1', '--speed', '2')).toThrow('has no --speed')
    expect(() => complete('latency', '--delay')).toThrow('--delay needs a value')
    expect(() => complete('latency', '3')).toThrow('about links, not about nodes')
    expect(() => complete('drop', '--nth', '1.5')).toThrow('a whole number')
    expect(() => complete('drop', '--nth', '1', '--every', '2')).toThrow('cannot be meant together')
    expect(() => complete('drop', '--partition', '1')).toThrow('--partition needs --topic')
    expect(() => complete('drop', '--versions', 'new')).toThrow('a version like')
    expect(() => complete('drop', '--client-id', '(')).toThrow('a regular expression')
    expect(() => complete('error', '--code', 'NONE')).toThrow('an error of Kafka 4.3')
    expect(() => linkFaultKind('flood')).toThrow('There is no fault flood')
  })

  test('of every kind say what they are', () => {
    for (const { parameters } of linkFaultKinds)
      for (const { name, summary } of parameters) expect(`${name}: ${summary}`).toMatch(/^[a-z-]+: .{5,}/)
  })
})
