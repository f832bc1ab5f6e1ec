/** Times as people write them: `500ms`, `2s`, `1.5s`, `1m`. */
const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 }

/** In milliseconds; undefined when it is no time. */
export function millisecondsOf(text: unknown): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(String(text)) ?? []
  return amount === undefined || unit === undefined ? undefined : Number(amount) * (unitsMs[unit] ?? NaN)
}
