/** Why a run ended early. */

/** Thrown through the code of a node that crashes inside one of its own calls, so that nothing after the call runs. Never caught by it. */
export class NodeCrashed extends Error {
  constructor(node: string, reason: string) {
    super(`${node} crashed: ${reason}`)
    this.name = 'NodeCrashed'
  }
}

/** A run that showed a fault: what, when, where, and how to see it again. */
export class SimulationFailure extends Error {
  readonly seed: number
  readonly timeMs: number
  readonly trace: readonly string[]

  constructor(options: { seed: number; timeMs: number; where: string; trace: readonly string[]; cause: unknown }) {
    const { seed, timeMs, where, trace, cause } = options
    super(`seed ${seed} at ${timeMs} ms, ${where}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
    this.name = 'SimulationFailure'
    this.seed = seed
    this.timeMs = timeMs
    this.trace = trace
  }
}
