import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { capabilities, type Cluster } from '#scripts/cluster/cluster.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { projectRoot } from '#scripts/cluster/state.ts'
import { parseWords } from '#scripts/commands/fault-words.ts'
import { faultKind, faultKinds } from '#scripts/faults/catalogue.ts'
import { faultsPage } from '#scripts/faults/page.ts'
import { describePlaces } from '#scripts/faults/matrix.ts'

/** What `fault add` takes for itself. */
const taken = ['name', 'json', 'from', 'to', 'listener', 'proof', 'no-proof', 'help', 'at', 'repeat', 'lasts']

describe('the catalogue of faults', () => {
  test('has every kind once, with words for all that is shown', () => {
    expect(new Set(faultKinds.map(({ name }) => name)).size).toBe(faultKinds.length)
    for (const kind of faultKinds) {
      const { summary, heals, expect: expectation, parameters, needs } = kind
      for (const text of [summary, heals, expectation, ...parameters.map(parameter => parameter.summary)])
        expect(`${kind.name}: ${text}`).not.toBe(`${kind.name}: `)
      for (const capability of needs) expect(capabilities).toContain(capability)
      expect(new Set(parameters.map(({ name }) => name)).size).toBe(parameters.length)
      expect(parameters.map(({ name }) => name).filter(name => taken.includes(name))).toEqual([])
    }
  })

  test.each(['apache-kafka', 'faultline'])('says the way to a power failure of processes of %s', async engine => {
    const way = './faultline down --name c, then ./faultline up --name c --faults --runtime process'
    const cluster: Partial<Cluster> = {
      spec: clusterSpec({ runtime: 'process', name: 'c', engine }),
      capabilities: new Set(['kill'] as const),
    }
    const order = { cluster: cluster as Cluster, nodes: [1], parameters: {}, proof: true }
    const refused = faultKind('power-failure').apply(order)
    await expect(refused).rejects.toMatchObject({ remedy: expect.stringContaining(way) as string })
  })

  test('says where a kind is not there, and why', () => {
    for (const kind of faultKinds) {
      const found = describePlaces(kind)
      for (const { possible, reason = '' } of found) expect(possible).toBe(reason === '')
      expect(`${kind.name} ${found.some(({ possible }) => possible)}`).toBe(`${kind.name} true`)
    }
    const at = (name: string) => describePlaces(faultKind(name)).map(({ possible }) => possible)
    // Processes of Faultline and of Apache Kafka, containers of both, simulated.
    expect(at('kill')).toEqual([true, true, true, true, true])
    expect(at('slow-disk')).toEqual([true, true, true, true, true])
    expect(at('cpu-limit')).toEqual([true, false, true, true, false])
    expect(at('memory-pressure')).toEqual([true, false, true, true, false])
    expect(at('stall')).toEqual([true, true, true, true, true])
    expect(at('latency')).toEqual([true, true, true, true, false])
    expect(at('power-failure')).toEqual([true, true, true, true, true])
    expect(at('rolling-upgrade')).toEqual([true, true, true, true, false])
  })

  test('says what this machine lacks where it lacks something', () => {
    const lack = { capabilities: ['node-faults'], missing: 'no compiler', remedy: 'Get one.' } as const
    const lacks = [{ runtime: 'process', engine: 'apache-kafka', ...lack }] as const
    const reasons = (name: string) => describePlaces(faultKind(name), lacks).flatMap(({ reason }) => reason ?? [])
    expect(reasons('slow-disk')).toEqual(['no compiler. Get one.'])
    expect(reasons('dropped-links')).toEqual([expect.stringContaining('needs root')])
    expect(reasons('kill')).toEqual([])
  })

  test('refuses a name that it does not have', () => {
    expect(() => faultKind('fire')).toThrow('There is no fault fire: expected one of kill, stop')
  })

  test('is what docs/faults.md shows (make docs writes it anew)', () => {
    const file = path.join(projectRoot, 'docs', 'faults.md')
    expect(readFileSync(file, 'utf8')).toBe(faultsPage())
  })
})

describe('the words after fault add', () => {
  const parse = (name: string, ...words: string[]) => parseWords(faultKind(name), words)

  test('are nodes and parameters in any order', () => {
    expect(parse('slow-disk', '1', '2', '--delay', '100')).toEqual({ nodes: ['1', '2'], parameters: { delay: '100' } })
    expect(parse('clock-jump', '--offset=-5000', 'controller')).toEqual({
      nodes: ['controller'],
      parameters: { offset: '-5000' },
    })
    expect(parse('clock-jump', '--offset', '-5000', 'all').parameters).toEqual({ offset: '-5000' })
  })

  test('are refused where they cannot be meant', () => {
    expect(() => parse('slow-disk', '--delay', '5')).toThrow('is about nodes: which?')
    expect(() => parse('slow-disk', '1', '--delay')).toThrow('--delay needs a value')
    expect(() => parse('kill', '1', '-x')).toThrow('The fault kill has no -x')
    expect(() => parse('latency', '1')).toThrow('is about links, not about nodes')
  })
})
