/** Which ports are whose, when several test files run at a time. */

/** Below the range from which systems take the ports of outgoing connections. */
const range = { from: 11_000, to: 32_000 }
/** As many as vitest.config.ts lets run at a time, or more. */
const parts = 4

/** The part of the ports that belongs to the worker of this test: nobody else takes one between the look and the use. */
export function workerPorts(): { readonly from: number; readonly to: number } {
  const size = Math.floor((range.to - range.from) / parts)
  const from = range.from + size * ((Number(process.env['VITEST_POOL_ID'] ?? 1) - 1) % parts)
  return { from, to: from + size }
}
