/**
 * What faults do to the bytes of one way of one link, whoever speaks there. Each is a small value; `Outlet` asks them in the order in which
 * the faults were added. They hold no sockets and no clock: times come in and go out.
 */
import type { Random } from '#broker/environment/environment.ts'
import { drawDelayMs, drawStallMs, fraction, type Distribution } from './distributions.ts'
import type { Parameters } from './parameters.ts'

export interface WayBehaviour {
  /** Nothing passes. */
  readonly blocks?: true
  /** Cuts what came into what is sent one after the other. */
  split?(bytes: Buffer): readonly Buffer[]
  /** When a piece that could go out at `dueMs` may; never earlier. */
  dueMs?(dueMs: number, bytes: number): number
  /** The same of a piece whose turn it is, on a link that carries one after the other: it takes the time of the link. */
  takeTurn?(dueMs: number, bytes: number): number
  /** A piece that took its turn will not go out, or not by that turn: its time is given back. */
  giveBack?(bytes: number): void
  /** How much later the end of a connection is passed on. */
  readonly closeDelayMs?: number
}

/** A piece of a slow link takes at most about a twentieth of a second, so that the link is shared. */
const piecesASecond = 20

/**
 * Behaviour of a kind on one way of one link; undefined for kinds that do something else. State in it, the pace of a slow link say, is that
 * link's alone.
 */
export function wayBehaviour(kind: string, parameters: Parameters, random: Random): WayBehaviour | undefined {
  const number = (name: string): number => Number(parameters[name])
  switch (kind) {
    case 'partition':
    case 'black-hole':
      return { blocks: true }
    case 'latency': {
      const options = {
        delayMs: number('delay'),
        jitterMs: number('jitter'),
        distribution: parameters['distribution'] as Distribution,
      }
      return { dueMs: dueMs => dueMs + drawDelayMs(options, random) }
    }
    case 'bandwidth':
      return slowLink(number('rate'))
    case 'loss': {
      const options = { probability: number('probability'), timeoutMs: number('timeout') }
      return { dueMs: (dueMs, bytes) => dueMs + drawStallMs(bytes, options, random) }
    }
    case 'slice':
      return slices({ size: number('size'), variation: number('variation'), delayMs: number('delay') }, random)
    case 'slow-close':
      return { closeDelayMs: number('delay') }
    default:
      return undefined
  }
}

function slowLink(bytesPerSecond: number): WayBehaviour {
  const pieceBytes = Math.max(1, Math.floor(bytesPerSecond / piecesASecond))
  const tookMs = (bytes: number): number => (bytes / bytesPerSecond) * 1000
  let freeAtMs = 0
  return {
    split: bytes => pieces(bytes, () => pieceBytes),
    takeTurn: (dueMs, bytes) => (freeAtMs = Math.max(freeAtMs, dueMs) + tookMs(bytes)),
    giveBack: bytes => (freeAtMs -= tookMs(bytes)),
  }
}

function slices(
  { size, variation, delayMs }: { readonly size: number; readonly variation: number; readonly delayMs: number },
  random: Random,
): WayBehaviour {
  let lastMs = 0
  return {
    split: bytes => pieces(bytes, () => Math.max(1, Math.round(size + (2 * fraction(random) - 1) * variation))),
    takeTurn: dueMs => (lastMs = Math.max(dueMs, lastMs + delayMs)),
    giveBack: () => (lastMs -= delayMs),
  }
}

function pieces(bytes: Buffer, nextBytes: () => number): Buffer[] {
  const cut: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + nextBytes())
    cut.push(bytes.subarray(at, end))
    at = end
  }
  return cut
}
