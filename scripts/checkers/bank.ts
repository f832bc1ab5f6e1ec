/**
 * The bank: every transaction moves amounts between partitions, so whoever reads committed records only sees a total that is conserved. For a
 * lab to bring along, because only it knows what a record is worth.
 *
 * A reader of a log sees no snapshot of several partitions at one moment. What it has read is compared with the operations that are settled for
 * it: certainly committed, and with all of their records at or below where it has come. Of these it must have read all, of those that
 * failed nothing. A record whose place nobody was told, and that a full read at the end did not find, can only lie below the end of what was read, so
 * who has come that far has passed it. Readers count that began at the beginning of each partition.
 *
 * Source: Redpanda's chaos tests, tx_money; Jepsen, bank.
 */
import { pollsOf, topicOf, type Offset, type PartitionName, type Value } from '../history/operation.ts'
import {
  expired,
  mustHaveCommitted,
  type Analysis,
  type PartitionFacts,
  type ValueFacts,
  type Write,
} from './analysis.ts'
import {
  Anomalies,
  countOf,
  sliceAcross,
  unknown,
  verdict,
  type AnomalyCase,
  type CheckResult,
  type OwnCheck,
} from './result.ts'

export interface Bank {
  /** Of the check; default: `bank-balance`. */
  readonly name?: string
  readonly topics: readonly string[]
  /** What a record adds to its partition's balance; a transfer is two records, one of them negative. */
  readonly amount: (value: Value) => number
}

interface Reader {
  readonly process: number
  readonly client: string
  /** Partition → the highest offset read. */
  readonly reached: Map<PartitionName, Offset>
  readonly read: Map<PartitionName, Set<Value>>
  balance: number
  readonly last: number
}

export function bankBalance(bank: Bank): OwnCheck {
  const name = bank.name ?? 'bank-balance'
  return { name, judge: analysis => judge(analysis, name, bank) }
}

function judge(analysis: Analysis, name: string, bank: Bank): CheckResult {
  const partitions = [...analysis.partitions.values()].filter(({ name: partition }) =>
    bank.topics.includes(topicOf(partition)),
  )
  const readers = readersOf(analysis, partitions, bank)
  const ends = endsOf(analysis, partitions)
  const anomalies = new Anomalies()
  for (const reader of readers) {
    const { expected, missing } = settled(analysis, partitions, { reader, ends }, bank)
    const surplus = surplusOf(partitions, reader)
    if (reader.balance === expected && missing.length === 0 && surplus.length === 0) continue
    anomalies.add(() => tell(analysis, reader, expected, missing, surplus))
  }
  if (readers.length === 0)
    return unknown(name, `Nobody read ${bank.topics.join(', ')} from the beginning as committed.`)
  return verdict(
    name,
    {
      good: `The total was conserved for each of ${countOf(readers.length, 'reader')}.`,
      bad: `For ${countOf(anomalies.count, 'reader')} of ${readers.length} the total was not conserved.`,
    },
    anomalies,
    { readers: readers.length },
  )
}

/** Clients that read committed records of every partition, each from its first. */
function readersOf(analysis: Analysis, partitions: readonly PartitionFacts[], { amount }: Bank): Reader[] {
  const wanted = new Map(partitions.map(facts => [facts.name, facts]))
  const readers = new Map<number, Reader & { last: number; isWhole: boolean }>()
  for (const operation of analysis.completions) {
    // A poll in a transaction that failed was a poll all the same.
    if (operation.f === 'send' || operation.isolation === 'read_uncommitted') continue
    for (const { partition, records } of pollsOf(operation)) {
      const facts = wanted.get(partition)
      if (!facts || records.length === 0) continue
      let reader = readers.get(operation.process)
      if (!reader) {
        const { process, client } = operation
        reader = { process, client, reached: new Map(), read: new Map(), balance: 0, last: 0, isWhole: true }
        readers.set(process, reader)
      }
      const begins = !reader.read.has(partition)
      if (begins && records[0]?.[0] !== firstVisible(facts)) reader.isWhole = false
      const read = reader.read.get(partition) ?? new Set()
      reader.read.set(partition, read)
      reader.last = operation.index
      for (const [offset, value] of records) {
        reader.reached.set(partition, Math.max(offset, reader.reached.get(partition) ?? 0))
        if (read.has(value)) continue
        read.add(value)
        reader.balance += amount(value)
      }
    }
  }
  return [...readers.values()].filter(({ isWhole, read }) => isWhole && read.size === partitions.length)
}

/** The first offset that holds something committed. */
function firstVisible(facts: PartitionFacts): Offset | undefined {
  return facts.offsets.find(offset =>
    (facts.valuesAt.get(offset) as Value[]).some(value => {
      const { firstCommittedRead, write } = facts.values.get(value) as ValueFacts
      return firstCommittedRead !== undefined || write?.outcome === 'ok'
    }),
  )
}

/** The last offset of each partition that was read as committed, where a full read at the end leaves nothing behind it. */
type Ends = ReadonlyMap<PartitionName, Offset>

function endsOf(analysis: Analysis, partitions: readonly PartitionFacts[]): Ends {
  const ends = new Map<PartitionName, Offset>()
  if (analysis.finalReadFrom === undefined || analysis.finalRead === 'incomplete') return ends
  for (const { name, values } of partitions) {
    // Where retention was at work, a record whose place nobody knows may have been among what it removed.
    if (analysis.logStarts.has(name)) continue
    for (const { firstCommittedRead, offsets } of values.values())
      if (firstCommittedRead !== undefined) ends.set(name, Math.max(offsets.at(-1) as Offset, ends.get(name) ?? -1))
  }
  return ends
}

/** What the settled operations add up to, and which of their records the reader did not get. */
function settled(
  analysis: Analysis,
  partitions: readonly PartitionFacts[],
  { reader, ends }: { readonly reader: Reader; readonly ends: Ends },
  { amount }: Bank,
) {
  const missing: Write[] = []
  let expected = 0
  for (const { name } of partitions) {
    for (const write of (analysis.partitions.get(name) as PartitionFacts).writes) {
      if (write.outcome === 'fail') continue
      const hasRead = reader.read.get(write.partition)?.has(write.value) === true
      if (hasRead) expected += amount(write.value)
      else if (
        mustHaveCommitted(write) &&
        !isExpired(analysis, write) &&
        write.siblings.every(sibling => isReached(reader, ends, sibling))
      ) {
        expected += amount(write.value)
        missing.push(write)
      }
    }
  }
  return { expected, missing }
}

/** What was read although it failed, or nobody wrote it. */
function surplusOf(partitions: readonly PartitionFacts[], reader: Reader): ValueFacts[] {
  return partitions.flatMap(facts =>
    [...(reader.read.get(facts.name) ?? [])]
      .map(value => facts.values.get(value) as ValueFacts)
      .filter(({ write }) => write === undefined || write.outcome === 'fail'),
  )
}

/** What retention removed counts for nobody who had not read it yet. */
function isExpired(analysis: Analysis, { partition, value }: Write): boolean {
  const offset = analysis.partitions.get(partition)?.values.get(value)?.offsets.at(-1)
  return offset !== undefined && expired(analysis, partition, offset)
}

/** True when the reader has read the record, or certainly read past it. */
function isReached({ reached, read }: Reader, ends: Ends, write: Write): boolean {
  const { partition, value, seen } = write
  if (read.get(partition)?.has(value) === true) return true
  const come = reached.get(partition) ?? -1
  const offset = seen.offsets.at(-1)
  if (offset !== undefined) return offset < come
  return mustHaveCommitted(write) && come >= (ends.get(partition) ?? Number.POSITIVE_INFINITY)
}

function tell(
  analysis: Analysis,
  reader: Reader,
  expected: number,
  missing: readonly Write[],
  surplus: readonly ValueFacts[],
): AnomalyCase {
  const shown = new Map<PartitionName, Set<Value>>()
  const writes = [...missing, ...surplus.flatMap(({ write }) => (write ? [write] : []))].slice(0, 4)
  for (const { siblings } of writes)
    for (const { partition, value } of siblings)
      shown.set(partition, (shown.get(partition) ?? new Set<Value>()).add(value))
  const parts = [
    missing.length > 0 &&
      `it did not get ${missing
        .slice(0, 3)
        .map(({ partition, value }) => `${value} of ${partition}`)
        .join(', ')}, which it read past`,
    surplus.length > 0 &&
      `it got ${surplus
        .slice(0, 3)
        .map(({ value }) => value)
        .join(', ')}, which ${surplus.length === 1 ? 'was' : 'were'} not committed`,
  ].filter(part => part !== false)
  return {
    explanation: `${reader.client} (process ${reader.process}) read a total of ${reader.balance}, and the transactions that are settled for it make ${expected}: ${parts.join('; ')}.`,
    slice: sliceAcross(
      analysis,
      [...writes.flatMap(({ invoked, completed }) => [invoked, completed]), reader.last],
      shown,
    ),
  }
}
