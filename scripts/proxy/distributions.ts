/** Chance for delays and losses: drawn from a seeded generator, so that the same seed on the same traffic makes the same delays. */
import type { Random } from '#broker/environment/environment.ts'

const resolution = 2 ** 32

/** At least 0, less than 1. */
export function fraction(random: Random): number {
  return random.below(resolution) / resolution
}

export const distributions = ['uniform', 'normal', 'pareto'] as const
export type Distribution = (typeof distributions)[number]

export interface DelayOptions {
  readonly delayMs: number
  readonly jitterMs: number
  readonly distribution: Distribution
}

/** Of the Pareto distribution: heavy enough that one delay in a thousand is about eighteen times the usual jitter. */
const paretoShape = 3

/**
 * One delay, ms, never below 0.
 *
 * - uniform: delay ± jitter, all values alike
 * - normal: delay is the mean, jitter the standard deviation
 * - pareto: delay is the least; jitter is what comes on top in the mean, with a long tail
 */
export function drawDelayMs({ delayMs, jitterMs, distribution }: DelayOptions, random: Random): number {
  if (jitterMs === 0) return delayMs
  switch (distribution) {
    case 'uniform':
      return Math.max(0, delayMs + (2 * fraction(random) - 1) * jitterMs)
    case 'normal':
      return Math.max(0, delayMs + standardNormal(random) * jitterMs)
    case 'pareto':
      return delayMs + ((1 - fraction(random)) ** (-1 / paretoShape) - 1) * (paretoShape - 1) * jitterMs
  }
}

/** Box and Muller, 1958. */
function standardNormal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - fraction(random)))
  return radius * Math.cos(2 * Math.PI * fraction(random))
}

const segmentBytes = 1460
const lossesInARowMax = 6

/**
 * How long a stream stands still because segments of it were lost: TCP notices after its retransmission timeout and doubles that while the
 * repetition is lost as well. 0 in most cases.
 */
export function drawStallMs(
  bytes: number,
  { probability, timeoutMs }: { readonly probability: number; readonly timeoutMs: number },
  random: Random,
): number {
  let stallMs = 0
  for (let segment = 0; segment < Math.ceil(bytes / segmentBytes); segment++) {
    for (let losses = 0; losses < lossesInARowMax && fraction(random) < probability; losses++)
      stallMs += timeoutMs * 2 ** losses
  }
  return stallMs
}
