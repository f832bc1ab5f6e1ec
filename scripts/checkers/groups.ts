/**
 * What a consumer group promises about who reads what.
 *
 * group-ownership: within one generation a partition is given to one member only. A member that was cut off may believe for a while that it
 * still has what a later generation gave to others; its commits are refused then, so that is no fault.
 *
 * rebalance-pause: how long partitions had no owner. A figure, never invalid.
 *
 * Source: Kafka documentation, "Consumer Rebalance"; KIP-848 (a partition is given away when its old owner has let go of it).
 */
import type { GroupOperation, Operation, PartitionName } from '../history/operation.ts'
import type { Analysis } from './analysis.ts'
import { Anomalies, countOf, entryName, unknown, verdict, type CheckResult } from './result.ts'

interface Owner {
  readonly process: number
  readonly generation: number | undefined
  readonly entry: number
}

export function isGroupOperation(operation: Operation): operation is GroupOperation {
  const { f } = operation
  return f === 'joined' || f === 'revoked' || f === 'lost' || f === 'commit'
}

/** Who owns what, kept up to date entry by entry. */
class Ownership {
  /** `group partition` → its owners: more than one only while a cut off member does not know. */
  readonly owners = new Map<string, Owner[]>()
  readonly #held = new Map<number, Set<string>>()

  take(operation: GroupOperation, partition: PartitionName): Owner[] {
    const key = `${operation.value.group} ${partition}`
    const others = this.owners.get(key) ?? []
    const { process, index } = operation
    this.owners.set(key, [...others, { process, generation: operation.value.generation, entry: index }])
    const held = this.#held.get(process) ?? new Set()
    this.#held.set(process, held.add(key))
    return others
  }

  /** @returns  what has no owner any more */
  drop(process: number, keys: Iterable<string> = [...(this.#held.get(process) ?? [])]): string[] {
    const free: string[] = []
    for (const key of keys) {
      if (this.#held.get(process)?.delete(key) !== true) continue
      const left = (this.owners.get(key) ?? []).filter(owner => owner.process !== process)
      this.owners.set(key, left)
      if (left.length === 0) free.push(key)
    }
    return free
  }
}

function keysOf({ value }: GroupOperation): string[] {
  return value.partitions.map(partition => `${value.group} ${partition}`)
}

export function groupOwnership(analysis: Analysis): CheckResult {
  const name = 'group-ownership'
  const ownership = new Ownership()
  const anomalies = new Anomalies()
  let assignments = 0
  for (const operation of analysis.history) {
    if (typeof operation.process !== 'number' || operation.type !== 'ok') continue
    if (operation.f === 'crash') ownership.drop(operation.process)
    if (!isGroupOperation(operation) || operation.f === 'commit') continue
    ownership.drop(operation.process, operation.f === 'joined' ? undefined : keysOf(operation))
    if (operation.f !== 'joined') continue
    for (const partition of operation.value.partitions) {
      assignments += 1
      const { group, generation } = operation.value
      const other = ownership
        .take(operation, partition)
        .find(owner => owner.generation !== undefined && owner.generation === generation)
      if (!other) continue
      anomalies.add(() => ({
        partition,
        explanation: `In generation ${generation} of group ${group}, ${partition} was given to ${entryName(analysis, operation.index)} while ${entryName(analysis, other.entry)} had it in the same generation.`,
        slice: [analysis.history[other.entry] as Operation, operation],
      }))
    }
  }
  if (assignments === 0) return unknown(name, 'No member of a group said what it was assigned.')
  return verdict(
    name,
    {
      good: `Each of ${countOf(assignments, 'assignment')} gave a partition that nobody else had in its generation.`,
      bad: `${countOf(anomalies.count, 'assignment')} of ${assignments} gave a partition that another member had in the same generation.`,
    },
    anomalies,
  )
}

export interface Pause {
  readonly group: string
  readonly partition: PartitionName
  readonly fromMs: number
  readonly toMs: number
}

/** Times in which partitions had an owner before and after, and none in between, in the order of their ends. */
export function rebalancePauses(history: readonly Operation[]): Pause[] {
  const ownership = new Ownership()
  const freeSince = new Map<string, number>()
  const pauses: Pause[] = []
  for (const operation of history) {
    if (typeof operation.process !== 'number' || operation.type !== 'ok') continue
    const { timeMs } = operation
    const isFree = (keys: readonly string[]) => {
      for (const key of keys) freeSince.set(key, timeMs)
    }
    if (operation.f === 'crash') isFree(ownership.drop(operation.process))
    if (!isGroupOperation(operation) || operation.f === 'commit') continue
    const { group, partitions } = operation.value
    isFree(ownership.drop(operation.process, operation.f === 'joined' ? undefined : keysOf(operation)))
    if (operation.f !== 'joined') continue
    for (const partition of partitions) {
      const fromMs = freeSince.get(`${group} ${partition}`)
      freeSince.delete(`${group} ${partition}`)
      if (fromMs !== undefined && fromMs < timeMs) pauses.push({ group, partition, fromMs, toMs: timeMs })
      ownership.take(operation, partition)
    }
  }
  return pauses
}

export function rebalancePause(analysis: Analysis): CheckResult {
  const name = 'rebalance-pause'
  if (!analysis.history.some(({ f }) => f === 'joined'))
    return unknown(name, 'No member of a group said what it was assigned.')
  const pauses = rebalancePauses(analysis.history)
  const longest = pauses.reduce<Pause | undefined>(
    (best, pause) => (best && best.toMs - best.fromMs >= pause.toMs - pause.fromMs ? best : pause),
    undefined,
  )
  const longestMs = longest ? Math.round(longest.toMs - longest.fromMs) : 0
  return {
    name,
    valid: true,
    explanation: longest
      ? `Partitions changed hands with a pause ${countOf(pauses.length, 'time')}; ${longest.partition} of group ${longest.group} had no owner for ${longestMs} ms, the longest.`
      : 'No partition was ever without an owner once it had one.',
    count: 0,
    cases: [],
    figures: { pauses: pauses.length, 'longest pause, ms': longestMs },
  }
}
