/**
 * replica-divergence: below the high watermark, two replicas hold different records at one offset, or one holds a record twice as often; the markers
 * that end transactions count like records. Or a replica that is in sync lacks the end of what its leader calls committed, which a clean election
 * would lose then.
 * Needs the logs of the replicas, which the lab reads over the wire after the run.
 *
 * Source: the log matching property of KIP-101 and of Vanlightly's Kafka replication model (LogMatching).
 */
import type { Offset, PartitionName, ReplicaBatch, ReplicaLog, Value } from '../history/operation.ts'
import type { Analysis } from './analysis.ts'
import { Anomalies, countOf, unknown, verdict, type CheckResult } from './result.ts'

export function replicaDivergence(analysis: Analysis): CheckResult {
  const name = 'replica-divergence'
  const byPartition = new Map<PartitionName, ReplicaLog[]>()
  for (const log of analysis.replicaLogs)
    byPartition.set(log.partition, [...(byPartition.get(log.partition) ?? []), log])
  const comparable = [...byPartition].filter(([, logs]) => logs.length > 1)
  if (comparable.length === 0)
    return unknown(name, 'The logs of at least two replicas of a partition would be needed, and were not read.')
  const anomalies = new Anomalies()
  const partly: string[] = []
  let [compared, differing, behind] = [0, 0, 0]
  for (const [partition, logs] of comparable) {
    const reference = logs.find(log => log.leader) ?? logs[0]
    if (!reference) continue
    const expected = flat(reference)
    for (const log of logs) {
      if (log === reference) continue
      if (lacksCommitted(log, reference)) {
        behind += 1
        anomalies.add(() => ({
          partition,
          explanation: `Broker ${log.broker} is in sync for ${partition} and its log ends at offset ${log.logEndOffset}, though its leader, broker ${reference.broker}, says that everything below ${reference.highWatermark} is committed: it may be elected, and the rest would be lost.`,
          slice: [],
        }))
      }
      const end = Math.min(log.highWatermark, reference.highWatermark)
      if (end < reference.highWatermark)
        partly.push(`${partition} on broker ${log.broker} below ${end} of ${reference.highWatermark}`)
      const start = Math.max(log.logStartOffset, reference.logStartOffset)
      const { compared: walked, differences } = compare(expected, flat(log), start, end)
      compared += walked
      differing += differences.length
      for (const { offset, ours, theirs } of differences) {
        anomalies.add(() => ({
          partition,
          explanation: `At offset ${offset} of ${partition}, broker ${reference.broker} holds ${words(ours)} and broker ${log.broker} holds ${words(theirs)}, though both say that everything below ${end} is committed. (value @ leader epoch)`,
          slice: [],
        }))
      }
    }
  }
  if (compared === 0 && anomalies.count === 0)
    return unknown(name, 'No record lies below the high watermarks of two replicas, so there was nothing to compare.')
  const lacking = `${countOf(behind, 'replica')} in sync ${behind === 1 ? 'lacks' : 'lack'} what is committed. `
  return verdict(
    name,
    {
      good: `${partly.length === 0 ? 'All replicas' : 'Replicas'} hold the same at ${countOf(compared, 'compared offset')}.${partlyInWords(partly)}`,
      bad: `${behind === 0 ? '' : lacking}Replicas differ at ${countOf(differing, 'offset')} of ${compared} compared.`,
    },
    anomalies,
  )
}

/** No other replica than one in sync has promised to hold what is committed. */
function lacksCommitted(log: ReplicaLog, reference: ReplicaLog): boolean {
  return reference.leader && log.inSync === true && log.logEndOffset < reference.highWatermark
}

const partlyMax = 4

/** Which replicas were not compared to the end, with a space in front; a follower knows its high watermark later than its leader, too. */
function partlyInWords(partly: readonly string[]): string {
  if (partly.length === 0) return ''
  const more = partly.length > partlyMax ? `, and ${partly.length - partlyMax} more` : ''
  return ` Compared in part: ${partly.slice(0, partlyMax).join(', ')}${more}.`
}

interface Held {
  readonly value: Value
  readonly epoch: number
}

interface Difference {
  readonly offset: Offset
  readonly ours: Held | undefined
  readonly theirs: Held | undefined
}

function words(held: Held | undefined): string {
  return held === undefined ? 'nothing' : `${held.value}@${held.epoch}`
}

/** The records of a log one after the other. */
interface Flat {
  readonly offsets: readonly Offset[]
  readonly values: readonly Value[]
  readonly epochs: readonly number[]
}

function flat({ batches }: ReplicaLog): Flat {
  const [offsets, values, epochs]: [Offset[], Value[], number[]] = [[], [], []]
  let isInOrder = true
  for (const batch of batches) {
    const { leaderEpoch } = batch
    for (const [offset, value] of heldIn(batch)) {
      isInOrder &&= offset > (offsets.at(-1) ?? -1)
      offsets.push(offset)
      values.push(value)
      epochs.push(leaderEpoch)
    }
  }
  if (isInOrder) return { offsets, values, epochs }
  // A log that is not in order of its offsets is bad enough; it is compared all the same.
  const order = [...offsets.keys()].sort((a, b) => (offsets[a] as Offset) - (offsets[b] as Offset))
  return {
    offsets: order.map(at => offsets[at] as Offset),
    values: order.map(at => values[at] as Value),
    epochs: order.map(at => epochs[at] as number),
  }
}

/** The records of a batch; of one that ends a transaction what it says, and of whose. */
function heldIn({ baseOffset, producerId, producerEpoch, records, marker }: ReplicaBatch): ReplicaBatch['records'] {
  if (marker === undefined) return records
  return [[baseOffset, `${marker} of producer ${producerId} epoch ${producerEpoch}`]]
}

function heldAt({ values, epochs }: Flat, at: number): Held {
  return { value: values[at] as Value, epoch: epochs[at] as number }
}

/** Walks both logs side by side between two offsets. */
function compare(ours: Flat, theirs: Flat, start: Offset, end: Offset) {
  const differences: Difference[] = []
  let compared = 0
  let [a, b] = [0, 0]
  while (a < ours.offsets.length || b < theirs.offsets.length) {
    const here = ours.offsets[a] ?? Number.POSITIVE_INFINITY
    const there = theirs.offsets[b] ?? Number.POSITIVE_INFINITY
    const offset = Math.min(here, there)
    const isOurs = here === offset
    const isTheirs = there === offset
    if (offset >= start && offset < end) {
      compared += 1
      const isSame = isOurs && isTheirs && ours.values[a] === theirs.values[b] && ours.epochs[a] === theirs.epochs[b]
      if (!isSame) {
        differences.push({
          offset,
          ours: isOurs ? heldAt(ours, a) : undefined,
          theirs: isTheirs ? heldAt(theirs, b) : undefined,
        })
      }
    }
    if (isOurs) a += 1
    if (isTheirs) b += 1
  }
  return { compared, differences }
}
