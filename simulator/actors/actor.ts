/**
 * An actor does one kind of thing to the cluster while faults go on, keeps its own account of what it was promised, and compares when the
 * cluster is mended. A broken promise is an Error that names it.
 *
 *   prepare ─► run … stop ─► (the cluster is mended) ─► conclude
 */
import type { SimulatedCluster } from '#scripts/cluster/simulated/simulated-cluster.ts'
import type { FaultKind } from '../seeds/fault-kinds.ts'
import type { Prng } from '../world/prng.ts'
import type { World } from '../world/world.ts'

/** What an actor has to do with. */
export interface Stage {
  readonly world: World
  readonly cluster: SimulatedCluster
  /** The actor's own chance. */
  readonly random: Prng
  /** What may happen to the cluster meanwhile: some promises are weaker under some faults. */
  readonly faults: readonly FaultKind[]
  /** Whether access is controlled: a cluster that does not, knows no access control entries. */
  readonly secured: boolean
}

export interface Actor {
  readonly name: string
  /** While the cluster is whole: makes what it needs. */
  prepare(): Promise<void>
  /** Goes on until `stop`, and comes to an end some time after. */
  run(): Promise<void>
  stop(): void
  /**
   * The cluster is mended, and `run` has ended: brings what is under way to an end, and judges.
   * @param deadlineMs  virtual time by which a promise of liveness must be kept
   */
  conclude(deadlineMs: number): Promise<void>
  /** What it did, for the summary of a run. */
  readonly deeds: number
}

/** Waits until `ask` answers nothing, which is good; else its last complaint is thrown. */
export async function until(world: World, deadlineMs: number, ask: () => Promise<string | undefined>): Promise<void> {
  for (;;) {
    const missing = await ask()
    if (missing === undefined) return
    if (world.nowMs > deadlineMs) throw new Error(missing)
    await world.sleep(100)
  }
}

/** Rejects when `work` takes longer; the work may go on, unheard. */
export function within<T>(world: World, timeoutMs: number, what: string, work: Promise<T>): Promise<T> {
  const late = world.sleep(timeoutMs).then((): never => {
    throw new Error(`${what}: not within ${timeoutMs} ms`)
  })
  return Promise.race([work, late])
}
