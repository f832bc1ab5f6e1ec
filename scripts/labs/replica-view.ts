/**
 * The logs of all replicas side by side, at one moment: where each ends, what it knows to be committed, its last records with their epochs. The
 * cluster goes on between the questions, so whatever later answers tell beyond that moment is left out.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { messageOf } from '../errors.ts'
import type { Offset, ReplicaBatch } from '../history/operation.ts'
import { isUnknown, known, type Observation, type ObservedPartition } from '../observe/model.ts'
import { observeOnce } from '../observe/observe.ts'
import { Links } from '../workload/links.ts'
import { fetchReplica } from '../workload/observe-requests.ts'

const answerMs = 1_000
const recordsShown = 5

export interface ReplicaColumn {
  readonly broker: number
  readonly role: 'leader' | 'in sync' | 'out of sync'
  /** Absent: the broker did not tell, and `silent` says why. */
  readonly log?: {
    readonly logEndOffset: Offset
    readonly highWatermark: Offset | null
    /** The last committed records: offset, leader epoch, value. What is above the high watermark is shown to nobody. */
    readonly lastRecords: readonly { readonly offset: Offset; readonly leaderEpoch: number; readonly value: string }[]
  }
  readonly silent?: string
}

export interface PartitionColumns {
  readonly name: string
  /** -1: none. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly isr: readonly number[]
  readonly replicas: readonly ReplicaColumn[]
}

export interface ReplicaView {
  readonly controller: number
  readonly partitions: readonly PartitionColumns[]
  /** Why there is nothing to show of some partitions. */
  readonly unknown: readonly string[]
}

export async function viewReplicas(cluster: Cluster, topic: string): Promise<ReplicaView> {
  const seen = await observeOnce(cluster, { topics: [topic], quorum: true, answerMs })
  const links = new Links(cluster, answerMs)
  try {
    const { partitions, unknown } = partitionsOf(seen, topic)
    return {
      controller: known(seen.quorum)?.leader ?? -1,
      partitions: await Promise.all(
        partitions.map(([index, partition]) => columnsOf(links, topic, Number(index), partition)),
      ),
      unknown,
    }
  } finally {
    links.close()
  }
}

function partitionsOf(seen: Observation, topic: string) {
  if (isUnknown(seen.topics)) return { partitions: [], unknown: [`${topic}: ${seen.topics.unknown}`] }
  const found = seen.topics?.[topic]
  if (found === undefined || found === null) return { partitions: [], unknown: [`there is no topic ${topic} yet`] }
  if (isUnknown(found)) return { partitions: [], unknown: [`${topic}: ${found.unknown}`] }
  const partitions: [string, ObservedPartition][] = []
  const unknown: string[] = []
  for (const [index, partition] of Object.entries(found.partitions)) {
    if (isUnknown(partition)) unknown.push(`${topic}-${index}: ${partition.unknown}`)
    else partitions.push([index, partition])
  }
  return { partitions, unknown }
}

async function columnsOf(
  links: Links,
  topic: string,
  index: number,
  partition: ObservedPartition,
): Promise<PartitionColumns> {
  const { name, leader, leaderEpoch, isr, replicas, logs } = partition
  const ordered = replicas.toSorted((a, b) => a - b)
  const columns = await Promise.all(
    ordered.map(async (broker): Promise<ReplicaColumn> => {
      const role = broker === leader ? 'leader' : isr.includes(broker) ? 'in sync' : 'out of sync'
      const log = logs[broker]
      if (log === undefined || isUnknown(log)) return { broker, role, silent: log?.unknown ?? 'it was not asked' }
      const { logEndOffset } = log
      const watermark = known(log.highWatermark)
      // It was asked for after the end of the log, and may have passed it since.
      const highWatermark = watermark === undefined ? null : Math.min(watermark, logEndOffset)
      const start = known(log.logStartOffset) ?? 0
      try {
        const lastRecords = await lastRecordsOf(links, broker, { topic, partition: index }, start, highWatermark ?? 0)
        return { broker, role, log: { logEndOffset, highWatermark, lastRecords } }
      } catch (error) {
        return { broker, role, silent: messageOf(error) }
      }
    }),
  )
  return { name, leader, leaderEpoch, isr, replicas: columns }
}

/** Those below `end`: what was committed later is read as well, and not of the moment that is shown. */
async function lastRecordsOf(
  links: Links,
  broker: number,
  at: { readonly topic: string; readonly partition: number },
  start: Offset,
  end: Offset,
) {
  if (end <= start) return []
  const offset = Math.max(start, end - recordsShown)
  const slice = await links.ask(broker, client => fetchReplica(client, { ...at, offset }))
  if (slice === undefined) throw new Error(`broker ${broker} holds answers back: a quota is used up`)
  return slice.batches
    .flatMap(recordsOf)
    .filter(record => record.offset < end)
    .slice(-recordsShown)
}

function recordsOf({ leaderEpoch, records }: ReplicaBatch) {
  return records.map(([offset, value]) => ({ offset, leaderEpoch, value }))
}
