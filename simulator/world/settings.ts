/** The physics of a world: how long things take, and what a power failure loses. A swarm draws them from the seed. */

export interface WorldSettings {
  /** Calendar time at the beginning, ms. */
  readonly startWallMs: number
  /** One way, each link draws its own base latency from this range. */
  readonly latencyUsMin: number
  readonly latencyUsMax: number
  /** Added to each packet, from 0 to this. */
  readonly jitterUsMax: number
  /** One write in so many arrives in two pieces; 0: never. */
  readonly sliceOneIn: number
  /** How long a kernel tries to get data through a dead link before it gives the connection up. */
  readonly retransmitTimeoutMs: number
  /** How long a kernel tries to open a connection to a machine that does not answer. */
  readonly connectTimeoutMs: number
  /** How long an fsync takes. */
  readonly fsyncUsMin: number
  readonly fsyncUsMax: number
  /** What was written longer ago has reached the disk without fsync. */
  readonly writebackMs: number
  readonly directoryLoss: 'independent' | 'ordered'
}

export const defaultWorldSettings: WorldSettings = {
  startWallMs: Date.UTC(2026, 0, 1),
  latencyUsMin: 100,
  latencyUsMax: 500,
  jitterUsMax: 200,
  sliceOneIn: 0,
  retransmitTimeoutMs: 120_000,
  connectTimeoutMs: 127_000,
  fsyncUsMin: 200,
  fsyncUsMax: 4000,
  writebackMs: 30_000,
  directoryLoss: 'independent',
}
