/**
 * committed-offsets: what a group has committed is not forgotten. A member does not commit less than was committed before it got the partition or
 * by itself; who gets a partition begins to read at the offset that was committed, neither below it (records would come again that
 * were done) nor above it (records would be left out). That it goes back on request, or because retention removed what was committed, is no fault:
 * a lab says so with the fact `offsetReset(group)`.
 *
 * It judges what the history tells: a group whose commits are not in it, as with automatic commits of most clients, gives no verdict. After a
 * commit of unknown outcome both offsets are possible.
 *
 * Source: Kafka documentation, "Consumer Position"; kafkatest, verifiable consumer (commits and positions).
 */
import {
  isRecordOperation,
  pollsOf,
  type Offset,
  type Operation,
  type PartitionName,
  type RecordOperation,
} from '../history/operation.ts'
import { positionAtOrAbove, type Analysis, type PartitionFacts } from './analysis.ts'
import { isGroupOperation } from './groups.ts'
import {
  Anomalies,
  countOf,
  entryName,
  logAround,
  unknown,
  verdict,
  type AnomalyCase,
  type CheckResult,
} from './result.ts'

/** Name of the fact that says: offsets of this group were set anew on purpose. */
export function offsetReset(group: string): string {
  return `offsets of ${group} were reset`
}

interface Committed {
  /** Certainly committed at least once, last of all. */
  readonly low: Offset
  /** May have been committed since. */
  readonly high: Offset
  readonly entry: number
}

interface Member {
  readonly group: string
  /** Partition → the entry that gave it, until its first poll. */
  readonly begins: Map<PartitionName, number>
  readonly gotAt: Map<PartitionName, number>
}

export function committedOffsets(analysis: Analysis): CheckResult {
  const name = 'committed-offsets'
  const walk = new Walk(analysis)
  for (const operation of analysis.history) walk.entry(operation)
  if (walk.commits === 0) return unknown(name, 'The history tells of no commit of a group.')
  return verdict(
    name,
    {
      good: `None of ${countOf(walk.commits, 'commit')} went back, and members began ${countOf(walk.begun, 'time')} where their group had committed.`,
      bad: `${countOf(walk.anomalies.count, 'time')} a group went back behind what it had committed, or left out what it had not.`,
    },
    walk.anomalies,
    { commits: walk.commits, 'partitions taken over': walk.begun },
  )
}

class Walk {
  readonly anomalies = new Anomalies()
  commits = 0
  begun = 0
  readonly #analysis: Analysis
  readonly #committed = new Map<string, Committed>()
  readonly #members = new Map<number, Member>()

  constructor(analysis: Analysis) {
    this.#analysis = analysis
  }

  entry(operation: Operation): void {
    if (operation.f === 'fact' && operation.process === 'lab') {
      for (const key of this.#committed.keys())
        if (operation.value.name === offsetReset(groupOf(key))) this.#committed.delete(key)
      return
    }
    if (isRecordOperation(operation)) {
      if (operation.type === 'invoke') return
      if (operation.f !== 'send') this.#polls(operation)
      const { commits, type, process } = operation
      // A poll's commit is as certain as the completion says; a failed transaction commits nothing.
      if (commits && type !== 'fail') this.#commit(operation, process, commits.group, commits.offsets)
      return
    }
    if (typeof operation.process !== 'number') return
    if (operation.f === 'crash') this.#members.delete(operation.process)
    if (!isGroupOperation(operation)) return
    const { group, partitions, offsets } = operation.value
    if (operation.f === 'commit') {
      if (operation.type !== 'fail') this.#commit(operation, operation.process, group, offsets ?? {})
      return
    }
    const member = this.#members.get(operation.process) ?? { group, begins: new Map(), gotAt: new Map() }
    this.#members.set(operation.process, member)
    const named = new Set(partitions)
    for (const partition of [...member.gotAt.keys()]) {
      if (named.has(partition) === (operation.f === 'joined')) continue
      member.gotAt.delete(partition)
      member.begins.delete(partition)
    }
    if (operation.f !== 'joined') return
    for (const partition of partitions) {
      if (member.gotAt.has(partition)) continue
      member.gotAt.set(partition, operation.index)
      member.begins.set(partition, operation.index)
    }
  }

  #commit(
    operation: Operation,
    process: number,
    group: string,
    offsets: Readonly<Record<PartitionName, Offset>>,
  ): void {
    for (const [partition, offset] of Object.entries(offsets)) {
      this.commits += 1
      const key = `${group} ${partition}`
      const known = this.#committed.get(key)
      const gotAt = this.#members.get(process)?.gotAt.get(partition)
      const certain = operation.type === 'ok'
      // Of two members, the order of their commits is known only when the one got the partition after the other had committed.
      const follows = known && (sameProcess(this.#analysis, known.entry, process) || (gotAt ?? -1) > known.entry)
      if (known && follows && certain && offset < known.low) {
        this.anomalies.add(() => this.#tellCommit(operation, known, group, partition, offset))
      }
      // Without a commit that is certain, the client's own setting may say where it begins.
      if (!known && !certain) continue
      const low = certain ? offset : (known?.low ?? offset)
      const high = certain ? offset : Math.max(offset, known?.high ?? 0)
      // A late word of a member that has lost the partition does not count against a newer one.
      if (!known || follows !== false || offset >= known.low)
        this.#committed.set(key, { low, high, entry: operation.index })
    }
  }

  /** The first poll of each partition that a member got. */
  #polls(operation: RecordOperation): void {
    const member = this.#members.get(operation.process)
    if (!member || member.begins.size === 0) return
    for (const { partition, records } of pollsOf(operation)) {
      const gotAt = member.begins.get(partition)
      const first = records[0]
      if (gotAt === undefined || !first) continue
      member.begins.delete(partition)
      const known = this.#committed.get(`${member.group} ${partition}`)
      // What others committed later says nothing about where this one had to begin.
      if (!known || (known.entry > gotAt && !sameProcess(this.#analysis, known.entry, operation.process))) continue
      const facts = this.#analysis.partitions.get(partition) as PartitionFacts
      const start = this.#analysis.logStarts.get(partition) ?? 0
      // Retention may have removed what was committed: then the client's own setting says where it begins.
      if (known.low < start) continue
      this.begun += 1
      if (first[0] < known.low)
        this.anomalies.add(() => this.#tellBegin(operation, known, member.group, facts, first[0], 'below'))
      else if (leavesOut(facts, known.high, first[0]))
        this.anomalies.add(() => this.#tellBegin(operation, known, member.group, facts, first[0], 'above'))
    }
  }

  #tellCommit(
    operation: Operation,
    known: Committed,
    group: string,
    partition: PartitionName,
    offset: Offset,
  ): AnomalyCase {
    return {
      partition,
      explanation: `Group ${group} had committed offset ${known.low} of ${partition} (${entryName(this.#analysis, known.entry)}), and ${entryName(this.#analysis, operation.index)} committed ${offset}: it went back without a reset.`,
      slice: [this.#analysis.history[known.entry] as Operation, operation],
    }
  }

  #tellBegin(
    operation: RecordOperation,
    known: Committed,
    group: string,
    facts: PartitionFacts,
    first: Offset,
    where: 'below' | 'above',
  ): AnomalyCase {
    const range = known.low === known.high ? String(known.low) : `${known.low} or ${known.high}`
    const follows =
      where === 'below'
        ? 'so it reads again what was committed as done'
        : 'so it leaves out records that nobody had committed as done'
    return {
      partition: facts.name,
      explanation: `Group ${group} had committed offset ${range} of ${facts.name} (${entryName(this.#analysis, known.entry)}); the member that got the partition began at offset ${first} (${entryName(this.#analysis, operation.index)}), ${follows}.`,
      slice: [this.#analysis.history[known.entry] as Operation, operation],
      log: logAround(facts, first),
    }
  }
}

function groupOf(key: string): string {
  return key.slice(0, key.lastIndexOf(' '))
}

function sameProcess({ history }: Analysis, entry: number, process: number): boolean {
  return history[entry]?.process === process
}

/** Whether a committed record lies between two offsets, the first included. */
function leavesOut(facts: PartitionFacts, from: Offset, to: Offset): boolean {
  const end = positionAtOrAbove(facts, to)
  for (let position = positionAtOrAbove(facts, from); position < end; position += 1)
    if (isCommitted(facts, facts.offsets[position] as Offset)) return true
  return false
}

function isCommitted(facts: PartitionFacts, offset: Offset): boolean {
  return (facts.valuesAt.get(offset) ?? []).some(value => {
    const { write, firstCommittedRead } = facts.values.get(value) ?? {}
    return firstCommittedRead !== undefined || write?.outcome === 'ok'
  })
}
