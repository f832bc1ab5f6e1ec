/** Our settings against those of Apache Kafka 4.3: the tables of its jars, and what its own broker describes. */
import { beforeAll, expect, test } from 'vitest'
import { brokerConfig } from '#broker/config/broker-config.ts'
import { clientMetricsConfig } from '#broker/config/client-metrics-config.ts'
import { extensionSettings } from '#broker/config/settings/extensions.ts'
import { internalSettings } from '#broker/config/settings/internal.ts'
import { groupConfig } from '#broker/config/group-config.ts'
import type { Setting, Table } from '#broker/config/table.ts'
import { topicConfig } from '#broker/config/topic-config.ts'
import { describeWith } from '#tests/machine.ts'
import { compile, runJava } from './java.ts'

interface Line {
  readonly table: string
  readonly name: string
}

describeWith(['java', 'apache-kafka'], 'Apache Kafka’s tables of settings', () => {
  let kafkas: Line[]

  beforeAll(async () => {
    const { code, output } = await runJava('ConfigTables', [], compile('ConfigTables'))
    if (code !== 0) throw new Error(output)
    kafkas = output
      .split('\n')
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line) as Line)
  })

  test.each<[string, Table]>([
    ['broker', brokerConfig],
    ['topic', topicConfig],
    ['group', groupConfig],
    ['client-metrics', clientMetricsConfig],
  ])('of a %s: the same names, types, defaults and ways to be updated', (table, ours) => {
    const line = (name: string, { type, defaultText, update }: Setting<unknown>) => ({
      table,
      name,
      type,
      defaultText,
      ...(table === 'broker' ? { update } : {}),
    })
    const known = Object.entries(ours).filter(([name]) => !(name in extensionSettings) && !(name in internalSettings))
    // Used by Kafka's own tests.
    const shown = kafkas.filter(each => each.table === table && !each.name.startsWith('internal.'))
    expect(known.map(([name, setting]) => line(name, setting)).sort(byName)).toEqual(shown.sort(byName))
    expect(shown.length).toBeGreaterThan(2)
  })
})

const byName = (left: { name: string }, right: { name: string }): number => (left.name < right.name ? -1 : 1)
