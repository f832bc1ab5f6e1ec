/**
 * How far the logs of partitions are: of each replica its log end offset, and what it knows of the high watermark; of the leader the high
 * watermark, last stable offset and log start that hold.
 *
 * - A replica answers ListOffsets of the debugging replica (-2) with its own log end, leader or not.
 * - A leader that is asked with the leader epoch refuses when it is not the leader of that epoch (KIP-320), and says OFFSET_NOT_AVAILABLE
 *   while it does not know how far its log is committed (KIP-207): so a high watermark that goes back is none of an old leader.
 * - A follower answers a consumer's Fetch (KIP-392) with the watermarks that it knows; from its log end there are no records to send.
 */
import { errorName } from '#broker/protocol/errors.ts'
import { fetchRequest, fetchResponse } from '#broker/protocol/messages/01-fetch.ts'
import { listOffsetsRequest, listOffsetsResponse } from '#broker/protocol/messages/02-list-offsets.ts'
import { describeProducersRequest, describeProducersResponse } from '#broker/protocol/messages/61-describe-producers.ts'
import type { Offset } from '../history/operation.ts'
import { type Line, NoAnswer } from './lines.ts'
import { isUnknown, unknown, type Known, type ObservedProducer } from './model.ts'

/** From these versions on: OFFSET_NOT_AVAILABLE, and answers of followers. */
const listOffsets = { request: listOffsetsRequest, response: listOffsetsResponse, oldest: 5 }
/** Version 12 is the last that names topics. */
const fetch = { request: fetchRequest, response: fetchResponse, oldest: 11, newest: 12 }
const producers = { request: describeProducersRequest, response: describeProducersResponse }

const consumer = -1
const debuggingReplica = -2
const readUncommitted = 0
const readCommitted = 1
const latest = -1
const earliest = -2

export interface Place {
  readonly topic: string
  readonly index: number
}

export interface LedPlace extends Place {
  readonly leaderEpoch: number
}

export interface EndedPlace extends Place {
  readonly logEndOffset: Offset
}

/** By `topic-index`. */
export type ByPartition<T> = Map<string, Known<T>>

export function nameOf({ topic, index }: Place): string {
  return `${topic}-${index}`
}

export interface LogEnd {
  readonly logEndOffset: Offset
  readonly leaderEpoch: number
}

export interface Watermarks {
  readonly highWatermark: Known<Offset>
  readonly lastStableOffset: Known<Offset>
  readonly logStartOffset: Known<Offset>
}

interface OffsetAnswer {
  readonly offset: Offset
  readonly leaderEpoch: number
}

export async function askLogEnds(line: Line, places: readonly Place[]): Promise<ByPartition<LogEnd>> {
  const ends: ByPartition<LogEnd> = new Map()
  for (const [name, answer] of await askOffsets(line, places, { replicaId: debuggingReplica, timestamp: latest }))
    ends.set(name, isUnknown(answer) ? answer : { logEndOffset: answer.offset, leaderEpoch: answer.leaderEpoch })
  return ends
}

/**
 * Of the leader, for exactly this leader epoch. The last stable offset is asked after the high watermark, and told as no more than that: what is
 * below it is then held back by a transaction, and not by what was written between the two questions.
 */
export async function askWatermarks(line: Line, places: readonly LedPlace[]): Promise<ByPartition<Watermarks>> {
  const ask = async (isolationLevel: number, timestamp: number) =>
    await askOffsets(line, places, { replicaId: consumer, isolationLevel, timestamp })
  const starts = await ask(readUncommitted, earliest)
  const watermarks = await ask(readUncommitted, latest)
  const stable = await ask(readCommitted, latest)
  const offsetOf = (answers: ByPartition<OffsetAnswer>, place: Place): Known<Offset> => {
    const answer = answers.get(nameOf(place)) ?? silence(line, place)
    return isUnknown(answer) ? answer : answer.offset
  }
  return new Map(
    places.map(place => {
      const highWatermark = offsetOf(watermarks, place)
      const lastStableOffset = offsetOf(stable, place)
      const isLater = !isUnknown(highWatermark) && !isUnknown(lastStableOffset) && lastStableOffset > highWatermark
      return [
        nameOf(place),
        {
          highWatermark,
          lastStableOffset: isLater ? highWatermark : lastStableOffset,
          logStartOffset: offsetOf(starts, place),
        },
      ]
    }),
  )
}

async function askOffsets(
  line: Line,
  places: readonly (Place & { readonly leaderEpoch?: number })[],
  how: { readonly replicaId: number; readonly timestamp: number; readonly isolationLevel?: number },
): Promise<ByPartition<OffsetAnswer>> {
  const { replicaId, timestamp, isolationLevel = readUncommitted } = how
  const answers: ByPartition<OffsetAnswer> = new Map()
  if (places.length === 0) return answers
  const { topics } = await line.ask(listOffsets, {
    replicaId,
    isolationLevel,
    topics: byTopic(places).map(([name, inTopic]) => ({
      name,
      partitions: inTopic.map(({ index, leaderEpoch = -1 }) => ({
        partitionIndex: index,
        currentLeaderEpoch: leaderEpoch,
        timestamp,
      })),
    })),
  })
  for (const { name: topic, partitions } of topics) {
    for (const { partitionIndex: index, errorCode, offset, leaderEpoch } of partitions)
      answers.set(`${topic}-${index}`, errorCode === 0 ? { offset, leaderEpoch } : refused(line, errorCode))
  }
  for (const place of places) if (!answers.has(nameOf(place))) answers.set(nameOf(place), silence(line, place))
  return answers
}

/** What a replica itself knows, leader or not. */
export async function askOwnWatermarks(line: Line, places: readonly EndedPlace[]): Promise<ByPartition<Watermarks>> {
  const answers: ByPartition<Watermarks> = new Map()
  if (places.length === 0) return answers
  const { errorCode, responses } = await line.ask(fetch, {
    replicaId: consumer,
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 1,
    isolationLevel: readCommitted,
    topics: byTopic(places).map(([topic, inTopic]) => ({
      topic,
      partitions: inTopic.map(({ index, logEndOffset }) => ({
        partition: index,
        fetchOffset: logEndOffset,
        partitionMaxBytes: 1,
      })),
    })),
  })
  if (errorCode !== 0) throw new NoAnswer(`broker ${line.broker} answers ${errorName(errorCode)} to Fetch`)
  for (const { topic, partitions } of responses) {
    for (const answer of partitions) {
      const told = (offset: Offset) => (offset >= 0 ? offset : silence(line, { topic, index: answer.partitionIndex }))
      const watermarks = {
        highWatermark: told(answer.highWatermark),
        lastStableOffset: told(answer.lastStableOffset),
        logStartOffset: told(answer.logStartOffset),
      }
      const isGood = answer.errorCode === 0
      answers.set(`${topic}-${answer.partitionIndex}`, isGood ? watermarks : refused(line, answer.errorCode))
    }
  }
  return answers
}

/** What the leader remembers of producers. */
export async function askProducers(
  line: Line,
  places: readonly Place[],
): Promise<ByPartition<readonly ObservedProducer[]>> {
  const answers: ByPartition<readonly ObservedProducer[]> = new Map()
  if (places.length === 0) return answers
  const { topics } = await line.ask(producers, {
    topics: byTopic(places).map(([name, inTopic]) => ({ name, partitionIndexes: inTopic.map(({ index }) => index) })),
  })
  for (const { name, partitions } of topics) {
    for (const { partitionIndex, errorCode, activeProducers } of partitions) {
      const found = activeProducers.map(producer => ({
        producerId: String(producer.producerId),
        producerEpoch: producer.producerEpoch,
        lastSequence: producer.lastSequence,
        lastTimestamp: producer.lastTimestamp,
        transactionStartOffset: producer.currentTxnStartOffset >= 0 ? producer.currentTxnStartOffset : null,
      }))
      answers.set(`${name}-${partitionIndex}`, errorCode === 0 ? found : refused(line, errorCode))
    }
  }
  return answers
}

function refused(line: Line, code: number) {
  return unknown(`broker ${line.broker} answers ${errorName(code)}`)
}

function silence(line: Line, place: Place) {
  return unknown(`broker ${line.broker} does not tell it of ${nameOf(place)}`)
}

function byTopic<P extends Place>(places: readonly P[]): [string, P[]][] {
  const topics = new Map<string, P[]>()
  for (const place of places) {
    const others = topics.get(place.topic)
    if (others === undefined) topics.set(place.topic, [place])
    else others.push(place)
  }
  return [...topics]
}
