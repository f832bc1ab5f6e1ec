/**
 * Any Environment with faults in front of it. With an empty plan every call passes straight on. Works on every runtime and needs no
 * privilege, since it stands inside the process.
 */
import type { Clock, Environment } from '../environment.ts'
import type { Cpu } from './cpu-limit.ts'
import type { ActiveFault, FaultPlan } from './fault-plan.ts'
import type { FaultEffects } from './fault.ts'
import { FaultyDisk } from './faulty-disk.ts'
import { faultyNetwork } from './faulty-network.ts'

/** What only the runtime can do. */
export interface FaultRuntime {
  /** Blocks the process (or, in the simulator, holds back its events). */
  stall(delayMs: number): void
  /** Ends the process at once, without any cleaning up. */
  crash(reason: string): never
  /** What the process has in memory, and what the machine has left. Only where a node is a process of its own. */
  memory?(): { readonly residentBytes: number; readonly freeBytes: number }
  /** Only where a node is a process of its own. */
  readonly cpu?: Cpu
}

export function faultyEnvironment(base: Environment, plan: FaultPlan, runtime: FaultRuntime): Environment {
  const effectsOf = (active: ActiveFault): FaultEffects => ({
    random: plan.random,
    nowMs: () => base.clock.monotonicMs(),
    stall: delayMs => runtime.stall(delayMs),
    crash: reason => runtime.crash(reason),
    hit: () => plan.hit(active),
  })
  return {
    clock: faultyClock(base.clock, plan),
    timers: base.timers,
    random: base.random,
    disk: new FaultyDisk({ base: base.disk, timers: base.timers, plan, effectsOf }),
    network: faultyNetwork(base.network, plan),
    log: base.log,
    halt: reason => base.halt(reason),
  }
}

function faultyClock(base: Clock, plan: FaultPlan): Clock {
  return {
    monotonicMs: () => base.monotonicMs(),
    wallMs() {
      if (plan.isEmpty) return base.wallMs()
      let wallMs = base.wallMs()
      for (const active of plan.list()) {
        const offsetMs = active.fault.wallOffsetMs?.(base.monotonicMs()) ?? 0
        if (offsetMs !== 0) plan.hit(active)
        wallMs += offsetMs
      }
      return wallMs
    },
  }
}
