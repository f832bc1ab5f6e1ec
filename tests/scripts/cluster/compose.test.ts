import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseBrokerConfig } from '#broker/config/parse.ts'
import { composeFile } from '#scripts/cluster/compose/generator.ts'
import { withoutFrames } from '#scripts/cluster/compose/compose-cluster.ts'
import { topologies, topologyText } from '#scripts/cluster/compose/topologies.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { projectRoot } from '#scripts/cluster/state.ts'
import { containerSettings } from '#scripts/container/settings.ts'

const folder = path.join(projectRoot, 'compose')

describe('the Compose files', () => {
  test.each(topologies)(
    '$file is as the generator writes it (node scripts/cluster/compose/topologies.ts)',
    topology => {
      expect(readFileSync(path.join(folder, topology.file), 'utf8')).toBe(topologyText(topology))
    },
  )

  test('are all there are', () => {
    expect(readdirSync(folder).sort()).toEqual(topologies.map(({ file }) => file).sort())
  })

  test.each(topologies)('$file gives every node settings that the broker accepts', topology => {
    const services = servicesOf(topologyText(topology))
    expect(services.size).toBe(topology.spec.brokers + topology.spec.controllers)
    for (const variables of services.values()) {
      const { config } = parseBrokerConfig(new Map(Object.entries(containerSettings(variables, undefined))))
      expect(config['cluster.id']).toBe('FaultlineCompose000001')
      expect(config['log.dirs']).toEqual(['/var/lib/kafka/data'])
    }
  })

  test('quote what Compose would read as something else', () => {
    const spec = clusterSpec({ runtime: 'compose', brokers: 1, settings: { 'a.b': "it's $HOME", c: 'true' } })
    const text = composeFile(spec, { title: ['x'], project: 'p', clusterId: 'id' })
    expect(text).toContain("KAFKA_A_B: 'it''s $$HOME'")
    expect(text).toContain("KAFKA_C: 'true'")
  })
})

test('the output of a container without a terminal is put together from its frames', () => {
  const frame = (text: string) => Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, text.length]), Buffer.from(text)])
  expect(withoutFrames(Buffer.concat([frame('one\n'), frame('two\n')]))).toBe('one\ntwo\n')
})

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
