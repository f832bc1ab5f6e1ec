/**
 * Whether this broker can live with settings that somebody asks it to alter, found out before they are sent on to the controller, as in Kafka
 * (KIP-226): they must be possible, and the keys and users they name usable by the listeners they are for.
 */
import { cordonedLogDirsError } from '../config/cordoned-log-dirs.ts'
import { withOverrides } from '../config/dynamic.ts'
import { cleanerSettingsError } from '../config/cleaner-settings.ts'
import { threadCountsRefusal } from '../config/thread-counts.ts'
import { valueAfter } from '../controller/alter-configs.ts'
import { checkBrokerConfig } from '../controller/check-configs.ts'
import { itemError, type ItemError } from '../controller/operation.ts'
import { clusterName } from '../security/authorization/acl.ts'
import type { RequestContext } from './handler.ts'

export interface BrokerSettingsChange {
  /** Id of this broker, or empty: all brokers. */
  readonly resourceName: string
  /** Without operations they are all there will be. */
  readonly configs: readonly {
    readonly name: string
    readonly value: string | null
    readonly configOperation?: number
  }[]
}

/** Undefined also for who may not alter them: the controller says so, and nobody learns here what is in a file. */
export function brokerSettingsRefusal(change: BrokerSettingsChange, context: RequestContext): ItemError | undefined {
  if (!context.authorize('AlterConfigs', 'Cluster', clusterName, 'filter')) return undefined
  const { services, config } = context
  const image = services.metadata()
  const settings = settingsAfter(change, image.config('broker', change.resourceName))
  if ('error' in settings) return settings
  const changed = new Set(change.configs.map(({ name }) => name))
  const invalid = checkBrokerConfig(change.resourceName, settings, changed)
  if (invalid !== undefined) return invalid
  const isOwn = change.resourceName !== ''
  const [ofAll, ofThis] = ['', String(services.nodeId)].map(name => image.config('broker', name))
  const as = (...overrides: ReadonlyMap<string, string>[]) => withOverrides(config, overrides, () => undefined)
  const next = isOwn ? as(ofAll!, settings) : as(settings, ofThis!)
  const refusal = threadCountsRefusal(as(ofAll!, ofThis!), next)
  if (refusal !== undefined) return itemError('INVALID_REQUEST', refusal)
  const cleaner = cleanerSettingsError(next)
  if (cleaner !== undefined) return itemError('INVALID_REQUEST', `requirement failed: ${cleaner}`)
  if (!isOwn) return undefined
  // Only the broker knows its log directories (KIP-1066).
  const cordoned = changed.has('cordoned.log.dirs')
    ? cordonedLogDirsError(next['cordoned.log.dirs'], config['log.dirs'])
    : undefined
  const reason = cordoned === undefined ? services.settingsRefusal?.(next) : `requirement failed: ${cordoned}`
  return reason === undefined ? undefined : itemError('INVALID_REQUEST', reason)
}

function settingsAfter(
  { configs }: BrokerSettingsChange,
  current: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> | ItemError {
  const isWhole = configs.every(({ configOperation }) => configOperation === undefined)
  const next = new Map(isWhole ? [] : current)
  for (const { name, value, configOperation = 0 } of configs) {
    const after = valueAfter('broker', current, { name, value, configOperation })
    if (after !== null && typeof after === 'object') return after
    if (after === null) next.delete(name)
    else next.set(name, after)
  }
  return next
}
