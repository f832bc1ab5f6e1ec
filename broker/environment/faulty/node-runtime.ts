/** How faults act on a real process: a stall blocks the event loop, a crash is a SIGKILL to itself. */
import type { FaultRuntime } from './faulty-environment.ts'

const sleeper = new Int32Array(new SharedArrayBuffer(4))

/** @param kill ends the process with SIGKILL; comes from the command line, which owns the process */
export function nodeFaultRuntime(kill: (reason: string) => never): FaultRuntime {
  return {
    stall: delayMs => void Atomics.wait(sleeper, 0, 0, delayMs),
    crash: kill,
  }
}
