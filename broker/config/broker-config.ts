/**
 * Broker settings with Kafka 4.3's names, types, defaults, bounds and ways to be updated: all that its DescribeConfigs reports, whether they
 * mean something here or not (their documentation says so), and a few of our own. Resolved values that depend on others
 * (log.retention.hours, …) are filled in by parse.ts.
 */
import { extensionSettings } from './settings/extensions.ts'
import { groupsSettings } from './settings/groups.ts'
import { internalSettings } from './settings/internal.ts'
import { logSettings } from './settings/log.ts'
import { networkSettings } from './settings/network.ts'
import { replicationSettings } from './settings/replication.ts'
import { securitySettings } from './settings/security.ts'
import { serverSettings } from './settings/server.ts'
import { tieredSettings } from './settings/tiered.ts'
import { transactionsSettings } from './settings/transactions.ts'
import type { Values } from './table.ts'

export const brokerConfig = {
  ...serverSettings,
  ...networkSettings,
  ...logSettings,
  ...replicationSettings,
  ...groupsSettings,
  ...transactionsSettings,
  ...securitySettings,
  ...tieredSettings,
  ...internalSettings,
  ...extensionSettings,
} as const

/** Key of the texts that server.properties gave, by name: what is static, also names that are in no table (plug-ins, named listeners). */
export const givenSettings: unique symbol = Symbol('givenSettings')

export type BrokerConfigTable = typeof brokerConfig
export type BrokerConfig = Values<BrokerConfigTable> & {
  readonly [givenSettings]?: ReadonlyMap<string, string>
  /** listener.name.… as altered at run time; goes before what was given. */
  readonly ofListeners?: ReadonlyMap<string, string>
}
export type BrokerConfigName = keyof BrokerConfigTable
