/** The few figures that say most about a run. */
import { measureAvailability } from '../checkers/availability.ts'
import type { History } from '../history/operation.ts'
import type { VariantResult } from '../labs/result.ts'
import type { RunData } from './model/run-data.ts'
import { duration, escape, grouped } from './text.ts'

export function tiles(variant: VariantResult, history: History, run: RunData): string {
  const measured = measureAvailability(history)
  const failing =
    variant.results.find(({ name, valid }) => valid === false && name === 'lost-write') ??
    variant.results.find(({ valid }) => valid === false)
  const elections = run.partitions.reduce(
    (sum, { leaders }) => sum + Math.max(0, leaders.filter(([, , leader]) => leader >= 0).length - 1),
    0,
  )
  const tile = (figure: string, text: string, kind = '') =>
    `<li${kind === '' ? '' : ` class="${kind}"`}><b>${figure}</b> <span>${text}</span></li>`
  return `<ul class="tiles">${[
    tile(grouped(variant.acknowledged), 'records acknowledged'),
    failing ? tile(grouped(failing.count), escape(failing.name), 'bad') : tile('0', 'anomalies'),
    tile(duration(measured.gaps[0]?.lastedMs ?? 0), 'longest time without an acknowledgement'),
    tile(
      duration(measured.latencyMs.median),
      `latency of a send, median (p99 ${duration(measured.latencyMs.p99)}, worst ${duration(measured.latencyMs.worst)})`,
    ),
    tile(String(run.faults.filter(({ mends }) => !mends).length), 'faults'),
    tile(String(elections), 'changes of leader'),
    tile(
      grouped(measured.unknownSends + measured.failedSends),
      `sends failed (${measured.failedSends}) or unknown (${measured.unknownSends})`,
    ),
  ].join('')}</ul>`
}
