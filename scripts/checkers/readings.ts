/** Who read what when: how long a partition went without a reader, whatever its members say that they own. */
import type { Operation, PartitionName } from '../history/operation.ts'

export interface Reading {
  readonly client: string
  readonly timeMs: number
  /** Partitions of which there were records. */
  readonly names: readonly PartitionName[]
}

/** Polls that gave records, in order. */
export function readings(history: readonly Operation[]): Reading[] {
  return history.flatMap(operation => {
    if (operation.f !== 'poll' || operation.type !== 'ok' || !('client' in operation)) return []
    const { client, timeMs, value } = operation
    const polled = value.flatMap(entry => (entry[0] === 'poll' ? Object.entries(entry[1] ?? {}) : []))
    const names = polled.filter(([, records]) => records.length > 0).map(([name]) => name)
    return names.length > 0 ? [{ client, timeMs, names }] : []
  })
}

/**
 * The longest time between two polls that gave records of a partition, of those that end after `fromMs`. Says something only of a partition
 * to which records are written all the time.
 */
export function longestUnreadMs(history: readonly Operation[], partition: PartitionName, fromMs: number): number {
  const times = readings(history)
    .filter(({ names }) => names.includes(partition))
    .map(({ timeMs }) => timeMs)
  const gaps = times.slice(1).map((timeMs, index) => ({ endMs: timeMs, tookMs: timeMs - (times[index] as number) }))
  return Math.max(0, ...gaps.filter(({ endMs }) => endMs >= fromMs).map(({ tookMs }) => tookMs))
}
