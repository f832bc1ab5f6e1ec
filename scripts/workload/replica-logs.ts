/**
 * Reads the whole log of every replica over the wire, after the run, into the history: the evidence for "lost in the log", for divergence,
 * and for who wrote a duplicate.
 */
import type { Cluster } from '../cluster/cluster.ts'
import type { Offset, ReplicaBatch, ReplicaLog } from '../history/operation.ts'
import type { HistoryRecorder } from '../history/recorder.ts'
import { Links } from './links.ts'
import {
  debuggingReplica,
  earliest,
  fetchReplica,
  latest,
  listOffsets,
  topicMetadata,
  type PartitionView,
} from './observe-requests.ts'

/** A client beyond its quota is answered at once and then not heard for a while (KIP-219). */
const answerMs = 30_000
/** For so long the broker may hold back what goes beyond a quota. */
const throttledMs = 60_000
const throttlePauseMs = 100

/** Records one `read-replica` entry for each replica of each partition. A broker that does not answer is an error: the run is healed. */
export async function readReplicaLogs(cluster: Cluster, recorder: HistoryRecorder, topic: string): Promise<void> {
  const links = new Links(cluster, answerMs)
  try {
    const { partitions } = await links.ask(links.brokers[0] ?? 1, client => topicMetadata(client, topic))
    for (const partition of partitions) {
      for (const broker of partition.replicas)
        recorder.replicaLog(await readReplica({ links, clock: cluster.clock }, topic, partition, broker))
    }
  } finally {
    links.close()
  }
}

async function readReplica(
  { links, clock }: { readonly links: Links; readonly clock: Cluster['clock'] },
  topic: string,
  partition: PartitionView,
  broker: number,
): Promise<ReplicaLog> {
  const { index } = partition
  const deadlineMs = clock.nowMs() + throttledMs
  const offsetAt = async (timestamp: typeof earliest | typeof latest) => {
    const offsets = await links.ask(broker, client =>
      listOffsets(client, { topic, partitions: [index], replicaId: debuggingReplica, timestamp }),
    )
    const offset = offsets.get(index)
    if (offset === undefined) throw new Error(`broker ${broker} does not tell the offsets of ${topic}-${index}`)
    return offset
  }
  const logStartOffset = await offsetAt(earliest)
  const logEndOffset = await offsetAt(latest)
  const batches: ReplicaBatch[] = []
  let offset: Offset = logStartOffset
  let highWatermark: Offset = -1
  for (;;) {
    const slice = await links.ask(broker, client => fetchReplica(client, { topic, partition: index, offset }))
    if (slice === undefined) {
      if (clock.nowMs() > deadlineMs)
        throw new Error(`broker ${broker} answers Fetch of ${topic}-${index} with nothing for ${throttledMs / 1000} s`)
      await clock.sleep(throttlePauseMs)
      continue
    }
    if (slice.errorCode !== 0)
      throw new Error(`broker ${broker} answers Fetch of ${topic}-${index} at ${offset} with error ${slice.errorCode}`)
    highWatermark = slice.highWatermark
    batches.push(...slice.batches)
    if (slice.nextOffset === offset) break
    offset = slice.nextOffset
  }
  return {
    broker,
    partition: `${topic}-${index}`,
    leader: partition.leader === broker,
    logStartOffset,
    highWatermark,
    logEndOffset,
    complete: offset >= highWatermark,
    batches,
  }
}
