/** `fault run`: a schedule of faults in the foreground. */
import type { Cluster } from '../cluster/cluster.ts'
import { exitCodes } from '../errors.ts'
import { attachCluster } from '../cluster/runtimes.ts'
import { readSchedule } from '../faults/schedule-file.ts'
import { runSchedule, type ScheduledFault, type ScheduleEvent } from '../faults/schedule.ts'
import type { CommonOptions } from './options.ts'
import { resolveNodes } from './options.ts'
import type { Session } from './session.ts'

export async function runFaults(file: string, options: CommonOptions, session: Session): Promise<void> {
  const cluster = await attachCluster(options.name)
  await carryOut(cluster, await readSchedule(file, cluster, resolveNodes), session)
}

const because = (event: ScheduleEvent): string => (event.because === undefined ? '' : `, because ${event.because}`)

/**
 * In the foreground: each event as it happens, and all of them as the result. The command fails when a fault was refused, and ends as
 * interrupted when it was.
 */
export async function carryOut(cluster: Cluster, faults: readonly ScheduledFault[], session: Session): Promise<void> {
  const { output, signal } = session
  const beganMs = performance.now()
  const events: (ScheduleEvent & { readonly atMs: number })[] = []
  const report = (event: ScheduleEvent): void => {
    const atMs = Math.round(performance.now() - beganMs)
    events.push({ ...event, atMs })
    output.note(
      `${(atMs / 1000).toFixed(1).padStart(6)} s  ${event.what} ${event.kind}: ${event.text}${because(event)}`,
    )
  }
  const refused = await runSchedule({ cluster, faults, signal, report })
  const not = refused === 0 ? '' : ` ${refused} could not be applied.`
  output.result(events, () => `${events.length} events; every fault that began has ended.${not}`)
  signal.throwIfAborted()
  if (refused > 0) session.exitCode = exitCodes.failed
}
