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

/** Brokers hear a little late of who has left the in-sync set: who is in it and behind for longer than that is. */
const newsMs = 10_000
const newsPauseMs = 100

interface Reading {
  readonly links: Links
  readonly clock: Cluster['clock']
  readonly topic: string
}

/** Records one `read-replica` entry for each replica of each partition. A broker that does not answer is an error: the run is healed. */
export async function readReplicaLogs(cluster: Cluster, recorder: HistoryRecorder, topic: string): Promise<void> {
  const links = new Links(cluster, answerMs)
  const reading = { links, clock: cluster.clock, topic }
  try {
    const { partitions } = await links.ask(links.brokers[0] ?? 1, client => topicMetadata(client, topic))
    for (const partition of partitions) {
      const { leader, replicas } = partition
      const leading = replicas.includes(leader) ? await readReplica(reading, partition, leader) : undefined
      if (leading !== undefined) recorder.replicaLog(leading)
      for (const broker of replicas.filter(id => id !== leader))
        recorder.replicaLog(await readReplica(reading, partition, broker, leading?.highWatermark))
    }
  } finally {
    links.close()
  }
}

/** @param committed  of a follower: the high watermark that its leader has told */
async function readReplica(
  reading: Reading,
  partition: PartitionView,
  broker: number,
  committed?: Offset,
): Promise<ReplicaLog> {
  const { links, clock, topic } = reading
  const { index } = partition
  const deadlineMs = clock.nowMs() + throttledMs
  const logStartOffset = await offsetAt(earliest, reading, index, broker)
  const end =
    committed === undefined
      ? { logEndOffset: await offsetAt(latest, reading, index, broker) }
      : await endOfFollower(reading, partition, broker, committed)
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
    ...end,
    logStartOffset,
    highWatermark,
    complete: offset >= highWatermark,
    batches,
  }
}

async function offsetAt(
  timestamp: typeof earliest | typeof latest,
  { links, topic }: Reading,
  index: number,
  broker: number,
): Promise<Offset> {
  const question = { topic, partitions: [index], replicaId: debuggingReplica, timestamp } as const
  const offset = (await links.ask(broker, client => listOffsets(client, question))).get(index)
  if (offset === undefined) throw new Error(`broker ${broker} does not tell the offsets of ${topic}-${index}`)
  return offset
}

/**
 * Where the log of a follower ends, and whether it is in sync. The order of the questions is what makes an in-sync replica of a correct cluster one
 * that is never behind: the leader has told its high watermark, then it says who is in sync, then the follower where its log ends.
 */
async function endOfFollower(
  reading: Reading,
  partition: PartitionView,
  broker: number,
  committed: Offset,
): Promise<Pick<ReplicaLog, 'logEndOffset' | 'inSync'>> {
  const { clock } = reading
  const deadlineMs = clock.nowMs() + newsMs
  for (;;) {
    const inSync = await isInSync(reading, partition, broker)
    const logEndOffset = await offsetAt(latest, reading, partition.index, broker)
    const isOpen = inSync === true && logEndOffset < committed && clock.nowMs() < deadlineMs
    if (!isOpen) return { logEndOffset, ...(inSync === undefined ? {} : { inSync }) }
    await clock.sleep(newsPauseMs)
  }
}

/** As the leader knows it; undefined: it leads no more, or anew, and what it has told of its high watermark is of another time. */
async function isInSync(
  { links, topic }: Reading,
  { index, leader, leaderEpoch }: PartitionView,
  broker: number,
): Promise<boolean | undefined> {
  const { partitions } = await links.ask(leader, client => topicMetadata(client, topic))
  const seen = partitions.find(each => each.index === index)
  if (seen?.leader !== leader || seen.leaderEpoch !== leaderEpoch) return undefined
  return seen.isr.includes(broker)
}
