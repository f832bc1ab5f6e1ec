import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseBrokerConfig } from '#broker/config/parse.ts'
import { parseProperties } from '#broker/config/properties.ts'
import { nodeIds } from '#scripts/cluster/cluster.ts'
import { faultlineEngine } from '#scripts/cluster/process/faultline-engine.ts'
import { formatProperties } from '#scripts/cluster/properties.ts'
import { processNodeProperties } from '#scripts/cluster/process/node-files.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'

describe('server.properties', () => {
  test('of every node of every shape is accepted by the broker', () => {
    for (const [brokers, controllers] of [
      [1, 0],
      [2, 0],
      [3, 0],
      [5, 0],
      [3, 3],
      [1, 1],
    ] as const) {
      const spec = clusterSpec({ runtime: 'process', brokers, controllers })
      for (const id of nodeIds(spec)) {
        const ours = { ...processNodeProperties(spec, id), ...faultlineEngine.properties(spec, id, 'x') }
        const { config } = parseBrokerConfig(parseProperties(formatProperties(ours)))
        expect(config['node.id']).toBe(id)
      }
    }
  })

  test('fits replication to the number of brokers', () => {
    const of = (brokers: number) => processNodeProperties(clusterSpec({ runtime: 'process', brokers }), 1)
    expect(of(1)).toMatchObject({ 'min.insync.replicas': '1', 'offsets.topic.replication.factor': '1' })
    expect(of(2)).toMatchObject({ 'min.insync.replicas': '1', 'offsets.topic.replication.factor': '2' })
    expect(of(5)).toMatchObject({ 'min.insync.replicas': '2', 'offsets.topic.replication.factor': '3' })
  })

  test('lets settings of the user win', () => {
    const spec = clusterSpec({ runtime: 'process', settings: { 'min.insync.replicas': '3' } })
    expect(processNodeProperties(spec, 1)['min.insync.replicas']).toBe('3')
  })

  test('is read back by the broker as it was meant, whatever the values', () => {
    const key = fc.stringMatching(/^[a-z][a-z0-9._-]{0,20}$/)
    const value = fc.string({ maxLength: 40 }).filter(text => text === text.trim() && !/[\r\f]/.test(text))
    fc.assert(
      fc.property(fc.dictionary(key, value, { noNullPrototype: true }), properties => {
        expect(Object.fromEntries(parseProperties(formatProperties(properties)))).toEqual(properties)
      }),
    )
  })
})
