/**
 * Which clients a metrics subscription is for: `selector=regular expression`, every one of them must match the whole value.
 * Source: KIP-714 "Client metrics configuration"; Kafka's ClientMetricsConfigs.
 */

export const clientSelectors = [
  'client_instance_id',
  'client_id',
  'client_software_name',
  'client_software_version',
  'client_source_address',
  'client_source_port',
] as const

export type ClientSelector = (typeof clientSelectors)[number]
export type ClientMatch = ReadonlyMap<ClientSelector, RegExp>

export function parseMatch(
  patterns: readonly string[],
): { readonly match: ClientMatch } | { readonly illegal: string } {
  const match = new Map<ClientSelector, RegExp>()
  for (const pattern of patterns) {
    const [left = '', right, ...more] = pattern.split('=')
    const selector = clientSelectors.find(known => known === left.trim())
    const expression = right === undefined || right === '' ? undefined : wholeValue(right.trim())
    if (selector === undefined || expression === undefined || more.length > 0) return { illegal: pattern }
    match.set(selector, expression)
  }
  return { match }
}

function wholeValue(expression: string): RegExp | undefined {
  try {
    return new RegExp(`^(?:${expression})$`, 's')
  } catch {
    return undefined
  }
}
