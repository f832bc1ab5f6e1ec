import { describe, expect, test } from 'vitest'
import { controllerIds, nodeIds } from '#scripts/cluster/cluster.ts'
import { brokerPort, controllerPort, inspectorPort, portsOf } from '#scripts/cluster/ports.ts'
import { brokersAsked, checkedName, clusterSpec, differences, parseSettings } from '#scripts/cluster/spec.ts'
import { ToolkitError } from '#scripts/errors.ts'

const refusal = (work: () => unknown): ToolkitError => {
  try {
    work()
  } catch (error) {
    if (error instanceof ToolkitError) return error
    throw error
  }
  throw new Error('it was not refused')
}

describe('a spec', () => {
  test('has three combined brokers from port 9092 on unless told otherwise', () => {
    expect(clusterSpec({ runtime: 'process' })).toEqual({
      name: 'default',
      runtime: 'process',
      engine: 'faultline',
      brokers: 3,
      controllers: 0,
      port: 9092,
      settings: {},
      seed: 1,
    })
  })

  test.each([
    [{ runtime: 'podman' }, '--runtime must be one of process, compose'],
    [{ runtime: 'process', engine: 'kafka' }, '--engine must be one of faultline, apache-kafka, redpanda'],
    [{ runtime: 'process', brokers: 0 }, '--brokers must be a whole number from 1 to 99, got 0'],
    [{ runtime: 'process', brokers: 2.5 }, '--brokers must be a whole number'],
    [{ runtime: 'process', controllers: -1 }, '--controllers must be a whole number from 0 to 9'],
    [{ runtime: 'process', port: 70_000 }, '--port must be a whole number from 0 to 65235'],
    [{ runtime: 'process', name: '../x' }, '--name "../x" cannot be used'],
  ])('refuses %j as a usage error that says what was expected', (request, message) => {
    const error = refusal(() => clusterSpec(request))
    expect(error.exitCode).toBe(2)
    expect(error.message).toContain(message)
  })

  test('suggests a name that can be used', () => {
    expect(refusal(() => checkedName('My Cluster!')).remedy).toContain('--name my-cluster')
  })
})

describe('the voters of the quorum', () => {
  test.each([
    [1, [1]],
    [2, [1]],
    [3, [1, 2, 3]],
    [4, [1, 2, 3]],
    [9, [1, 2, 3, 4, 5]],
  ])('of %i combined brokers are an odd number up to five', (brokers, voters) => {
    expect(controllerIds(clusterSpec({ runtime: 'process', brokers }))).toEqual(voters)
  })

  test('are the controllers, with ids of their own, where there are any', () => {
    const spec = clusterSpec({ runtime: 'process', brokers: 2, controllers: 3 })
    expect(controllerIds(spec)).toEqual([101, 102, 103])
    expect(nodeIds(spec)).toEqual([1, 2, 101, 102, 103])
  })
})

describe('ports', () => {
  test('broker i listens on port + i - 1', () => {
    const spec = clusterSpec({ runtime: 'process', port: 20_000 })
    expect([1, 2, 3].map(id => brokerPort(spec, id))).toEqual([20_000, 20_001, 20_002])
  })

  test('never collide within a cluster, however large', () => {
    const spec = clusterSpec({ runtime: 'process', brokers: 99, controllers: 9, port: 20_000 })
    const all = [...portsOf(spec).map(({ port }) => port), ...nodeIds(spec).map(id => inspectorPort(spec, id))]
    expect(new Set(all).size).toBe(all.length)
    expect(Math.max(...all)).toBeLessThan(20_000 + 310)
  })

  test('of a controller-only node begin 100 above', () => {
    expect(controllerPort(clusterSpec({ runtime: 'process', controllers: 3, port: 9092 }), 102)).toBe(9193)
  })
})

describe('--set', () => {
  test('takes key=value, with anything in the value, the last one wins', () => {
    expect(parseSettings(['a.b=1', 'c=x=y', 'a.b=2'])).toEqual({ 'a.b': '2', c: 'x=y' })
  })

  test.each(['a', '=b', 'a b=c', 'a=b\nc=d'])('refuses %j', pair => {
    expect(refusal(() => parseSettings([pair])).exitCode).toBe(2)
  })

  test.each(['node.id', 'listeners', 'log.dirs', 'cluster.id'])('leaves %s to the toolkit', key => {
    expect(refusal(() => parseSettings([`${key}=1`])).message).toContain('decided by the toolkit')
  })
})

describe('a number of brokers that is asked for again', () => {
  const grown = clusterSpec({ runtime: 'process', brokers: 3, added: 2 })
  const asked = (total: number) => clusterSpec({ ...grown, ...brokersAsked(total, grown) })

  test('is of all, also of those that came later', () => {
    expect(differences(grown, asked(5))).toEqual([])
    expect(differences(grown, asked(3))).toEqual(['--brokers is 5, not 3'])
    expect(differences(grown, asked(6))).toEqual(['--brokers is 5, not 6'])
  })
})
