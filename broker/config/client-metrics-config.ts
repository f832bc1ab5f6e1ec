/** Settings of a client metrics subscription (ClientMetricsConfigs, KIP-714). A resource exists as soon as one of them is set. */
import { int, list, parseSetting, type Setting, type Values } from './table.ts'

export const clientMetricsConfig = {
  'interval.ms': int({ default: 300_000, doc: 'How often clients push, ms: 100 to 3600000.' }),
  match: list({
    default: [],
    doc: 'Which clients: selector=regular expression, all must match. Empty: every client.',
  }),
  metrics: list({ default: [], doc: 'Prefixes of the names of the metrics to push; * for all, empty for none.' }),
} as const

export type ClientMetricsConfig = Values<typeof clientMetricsConfig>

export function resolveClientMetrics(settings: ReadonlyMap<string, string>): ClientMetricsConfig {
  const values: Record<string, unknown> = {}
  for (const [name, definition] of Object.entries<Setting<unknown>>(clientMetricsConfig)) {
    const text = settings.get(name)
    values[name] = text === undefined ? definition.defaultValue : parseSetting(name, definition, text)
  }
  return values as ClientMetricsConfig
}
