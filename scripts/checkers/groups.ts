/**
 * What a consumer group promises about who reads what.
 *
 * group-ownership: within one generation a partition is given to one member only. A member that was cut off may believe for a while that it
 * still has what a later generation gave to others; its commits are refused then, so that is no fault. A member that keeps its partitions through
 * a rebalance is not given them again (KIP-848): that it is in the next generation shows where it commits, or gives others up. It has let go of
 * what is to go to others before the coordinator takes it into that generation.
 *
 * rebalance-pause: how long partitions had no owner. A figure, never invalid.
 *
 * Source: Kafka documentation, "Consumer Rebalance"; KIP-848 (a partition is given away when its old owner has let go of it).
 */
import type { GroupOperation, Operation, PartitionName } from '../history/operation.ts'
import type { Analysis } from './analysis.ts'
import { Anomalies, countOf, entryName, unknown, verdict, type AnomalyCase, type CheckResult } from './result.ts'

/** A client as long as it is one member of a group, and has what it was given. */
interface Member {
  readonly process: number
  readonly group: string
  readonly id: string | undefined
  /** The entry that gave it what it holds, and in which generation. */
  readonly given: number
  readonly since: number | undefined
  /** The last generation that it is known to have been in, and the entry that tells. */
  generation: number | undefined
  toldBy: number
  /** `group partition` */
  readonly held: Set<string>
}

export function isGroupOperation(operation: Operation): operation is GroupOperation {
  const { f } = operation
  return f === 'joined' || f === 'revoked' || f === 'lost' || f === 'commit'
}

/** Who owns what, kept up to date entry by entry. */
class Ownership {
  /** `group partition` → its owners: more than one only while a cut off member does not know. */
  readonly #owners = new Map<string, Member[]>()
  readonly #members = new Map<number, Member>()

  /** Gives a member what it is to have, after it has let go of everything. */
  take(operation: GroupOperation): Member {
    const { process, index, value } = operation
    const { group, member: id, generation } = value
    const times = { given: index, since: generation, generation, toldBy: index }
    const member: Member = { process, group, id, ...times, held: new Set(keysOf(operation)) }
    this.#members.set(process, member)
    for (const key of member.held) this.#owners.set(key, [...this.othersOf(key, process), member])
    return member
  }

  /** @returns  what has no owner any more */
  drop(process: number, keys: Iterable<string> = [...(this.#members.get(process)?.held ?? [])]): string[] {
    const free: string[] = []
    for (const key of keys) {
      if (this.#members.get(process)?.held.delete(key) !== true) continue
      const left = this.othersOf(key, process)
      this.#owners.set(key, left)
      if (left.length === 0) free.push(key)
    }
    return free
  }

  /** The entry tells that a member is in a later generation, with all that it holds. @returns  the member, and the last generation before, if so */
  raise({ process, index, value }: GroupOperation): { readonly member: Member; readonly before: number } | undefined {
    const member = this.#members.get(process)
    // Whoever came back under another id is another member, and may not have noticed what it lost.
    if (member?.group !== value.group || member.id !== value.member) return undefined
    const { generation: before } = member
    if (before === undefined || value.generation === undefined || value.generation <= before) return undefined
    member.generation = value.generation
    member.toldBy = index
    return { member, before }
  }

  othersOf(key: string, process: number): Member[] {
    return (this.#owners.get(key) ?? []).filter(owner => owner.process !== process)
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
  let judged = 0
  for (const operation of analysis.history) {
    if (typeof operation.process !== 'number' || operation.type !== 'ok') continue
    if (operation.f === 'crash') ownership.drop(operation.process)
    if (!isGroupOperation(operation)) continue
    if (operation.f !== 'commit')
      ownership.drop(operation.process, operation.f === 'joined' ? undefined : keysOf(operation))
    if (operation.f === 'lost') continue
    if (operation.f === 'joined') {
      const newcomer = ownership.take(operation)
      assignments += newcomer.held.size
      if (newcomer.since !== undefined) judged += newcomer.held.size
      for (const pair of pairsOfNewcomer(newcomer, ownership)) anomalies.add(() => tell(analysis, pair))
    } else for (const pair of pairsOfKeeper(operation, ownership)) anomalies.add(() => tell(analysis, pair))
  }
  if (assignments === 0) return unknown(name, 'No member of a group said what it was assigned.')
  if (judged === 0) return unknown(name, 'No member of a group said in which generation it was assigned what it has.')
  return verdict(
    name,
    {
      good: `Each of ${countOf(judged, 'assignment')} gave a partition that nobody else had in its generation.`,
      bad: `${countOf(anomalies.count, 'time')} two members had a partition in the same generation (${countOf(judged, 'assignment')} in all).`,
    },
    anomalies,
  )
}

/** Two members with one partition in the generation in which the newcomer was given it. */
interface Pair {
  readonly key: string
  readonly newcomer: Member
  readonly keeper: Member
}

/** Who has what a member is given, in the same generation. */
function pairsOfNewcomer(newcomer: Member, ownership: Ownership): Pair[] {
  const { process, since } = newcomer
  if (since === undefined) return []
  return [...newcomer.held].flatMap(key => {
    const keeper = ownership
      .othersOf(key, process)
      .find(other => other.since !== undefined && other.since <= since && since <= (other.generation as number))
    return keeper ? [{ key, newcomer, keeper }] : []
  })
}

/** Who was given what a member holds, in generations of which only now is known that it held it in them too. */
function pairsOfKeeper(operation: GroupOperation, ownership: Ownership): Pair[] {
  const raised = ownership.raise(operation)
  if (!raised) return []
  const { member: keeper, before } = raised
  return [...keeper.held].flatMap(key => {
    const newcomer = ownership
      .othersOf(key, keeper.process)
      .find(other => other.since !== undefined && other.since > before && other.since <= (keeper.generation as number))
    return newcomer ? [{ key, newcomer, keeper }] : []
  })
}

function tell(analysis: Analysis, { key, newcomer, keeper }: Pair): AnomalyCase {
  const { group, since, given } = newcomer
  const partition = key.slice(group.length + 1)
  const told = keeper.toldBy === keeper.given ? '' : `, as ${entryName(analysis, keeper.toldBy)} tells`
  const entries = [...new Set([keeper.given, keeper.toldBy, given])].sort((a, b) => a - b)
  return {
    partition,
    explanation: `In generation ${since} of group ${group}, ${partition} was given to ${entryName(analysis, given)} while ${entryName(analysis, keeper.given)} had it in the same generation${told}.`,
    slice: entries.map(entry => analysis.history[entry] as Operation),
  }
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
    ownership.take(operation)
    for (const partition of partitions) {
      const fromMs = freeSince.get(`${group} ${partition}`)
      freeSince.delete(`${group} ${partition}`)
      if (fromMs !== undefined && fromMs < timeMs) pauses.push({ group, partition, fromMs, toMs: timeMs })
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
