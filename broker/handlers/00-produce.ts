/**
 * Produce: v3-13. Appends record batches to partitions led here.
 *
 * Behavior:
 * - One batch of format version 2 per partition, appended before the next request of the connection is looked at.
 * - acks=0: no reply; an error closes the connection, so that the client refreshes its metadata. acks=1: reply after the append. acks=-1:
 *   reply when all in-sync replicas have it; refused beforehand when they are fewer than min.insync.replicas.
 * - Internal topics take records from the coordinators only, or from a client that calls itself __admin_client.
 * - The first records of a transaction wait until its coordinator has confirmed that the partition belongs to it; since v12 the
 *   coordinator adds the partition then (KIP-890). Requests that come meanwhile on the same connection are not held up.
 * Versions: v5 log start offset; v7 zstd (KIP-110); v8 record errors (KIP-467); v9 flexible; v10 leader hints (KIP-951); v13 topic ids (KIP-516).
 * Errors: UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, NOT_LEADER_OR_FOLLOWER, INVALID_REQUIRED_ACKS, NOT_ENOUGH_REPLICAS,
 *   NOT_ENOUGH_REPLICAS_AFTER_APPEND, REQUEST_TIMED_OUT, KAFKA_STORAGE_ERROR, UNSUPPORTED_COMPRESSION_TYPE, INVALID_TXN_STATE,
 *   TRANSACTIONAL_ID_AUTHORIZATION_FAILED, INVALID_PRODUCER_ID_MAPPING, TRANSACTION_ABORTABLE, CONCURRENT_TRANSACTIONS, and those of the
 *   log: CORRUPT_MESSAGE, INVALID_RECORD, MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, INVALID_TIMESTAMP, OUT_OF_ORDER_SEQUENCE_NUMBER,
 *   INVALID_PRODUCER_EPOCH.
 * Not implemented: nothing.
 */
import type { MetadataImage } from '../controller/image.ts'
import { errorCode, ProtocolError, type ErrorName } from '../protocol/errors.ts'
import type { ProduceRequest, produceResponse } from '../protocol/messages/00-produce.ts'
import type { Input } from '../protocol/schema.ts'
import {
  refusedAppend,
  type AppendEntry,
  type AppendOutcome,
  type TransactionalAppends,
} from '../replication/appends.ts'
import { batchFlags, transactionalProducerOf } from '../replication/record-batches.ts'
import { supportOfProduce } from '../replication/transaction-verifier.ts'
import { brokerOf } from './broker-services.ts'
import { handler, noReply, requestRight, right, type RequestContext } from './handler.ts'
import { LeaderHints } from './leader-hints.ts'
import type { BrokerServices } from './services.ts'

type Response = Input<typeof produceResponse>

const zstdSince = 7
const hintsSince = 10
const topicIdsSince = 13
const adminClientId = '__admin_client'
export const internalTopics: ReadonlySet<string> = new Set([
  '__consumer_offsets',
  '__transaction_state',
  '__share_group_state',
])

/** One partition of the request: either to be appended, or refused beforehand. */
interface Item {
  readonly topic: string
  readonly partition: number
  readonly entry: AppendEntry | undefined
  readonly refused: AppendOutcome | undefined
}

function hasTransactionalRecords({ topicData }: ProduceRequest): boolean {
  return topicData.some(({ partitionData }) =>
    partitionData.some(({ records }) => records !== null && batchFlags(records).isTransactional),
  )
}

/** The id the sender must have a right on: only transactional records need one. */
function transactionalIdOf(request: ProduceRequest): string | undefined {
  return hasTransactionalRecords(request) ? (request.transactionalId ?? undefined) : undefined
}

/** Nobody has the right on no id: also where nothing is ever refused to anyone. */
function withoutTransactionalId(request: ProduceRequest): AppendOutcome | undefined {
  if (request.transactionalId !== null || !hasTransactionalRecords(request)) return undefined
  return refusedAppend('TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'Transactional records need a transactional.id.')
}

function itemsOf(request: ProduceRequest, context: RequestContext, broker: BrokerServices): Item[] {
  const { apiVersion } = context
  const image = context.services.metadata()
  const items: Item[] = []
  const refusedAsAWhole = withoutTransactionalId(request)
  for (const { name, topicId, partitionData } of request.topicData) {
    const byId = apiVersion >= topicIdsSince
    const topic = byId ? image.topicsById.get(topicId)?.name : name
    for (const { index, records } of partitionData) {
      const unknown = topic === undefined ? refusedAppend('UNKNOWN_TOPIC_ID', null) : undefined
      const refused = refusedAsAWhole ?? unknown ?? refusal(topic ?? '', records, request, context)
      if (refused !== undefined || topic === undefined || records === null) {
        items.push({ topic: topic ?? '', partition: index, entry: undefined, refused })
        continue
      }
      const target = broker.replicas.find(topic, index, byId ? topicId : undefined)
      items.push({ topic, partition: index, entry: { target, records }, refused: undefined })
    }
  }
  return items
}

function refusal(
  topic: string,
  records: Buffer | null,
  request: ProduceRequest,
  context: RequestContext,
): AppendOutcome | undefined {
  if (!context.authorize('Write', 'Topic', topic)) return refusedAppend('TOPIC_AUTHORIZATION_FAILED', null)
  if (request.acks < -1 || request.acks > 1) {
    return refusedAppend('INVALID_REQUIRED_ACKS', `Expected acks to be -1, 0 or 1, got ${request.acks}.`)
  }
  if (internalTopics.has(topic) && context.clientId !== adminClientId) {
    return refusedAppend('INVALID_TOPIC_EXCEPTION', `Clients may not write to the internal topic ${topic}.`)
  }
  if (records === null) return refusedAppend('INVALID_RECORD', 'Expected a record batch, got null.')
  const { isZstd } = batchFlags(records)
  if (isZstd && context.apiVersion < zstdSince) {
    return refusedAppend('UNSUPPORTED_COMPRESSION_TYPE', `zstd needs Produce version ${zstdSince} or later.`)
  }
  return undefined
}

function responseOf(
  request: ProduceRequest,
  outcomes: readonly AppendOutcome[],
  items: readonly Item[],
  context: { apiVersion: number; listenerName: string; image: MetadataImage },
): Response {
  const hints = new LeaderHints(context.image, context.listenerName)
  const withHints = context.apiVersion >= hintsSince
  let at = 0
  const responses = request.topicData.map(({ name, topicId, partitionData }) => ({
    name,
    topicId,
    partitionResponses: partitionData.map(({ index }) => {
      const outcome = outcomes[at] ?? refusedAppend('UNKNOWN_SERVER_ERROR', null)
      const topic = items[at]?.topic ?? name
      at += 1
      const isElsewhere = withHints && outcome.error === 'NOT_LEADER_OR_FOLLOWER'
      return {
        index,
        errorCode: errorCode(outcome.error),
        baseOffset: outcome.baseOffset,
        logAppendTimeMs: outcome.logAppendTimeMs,
        logStartOffset: outcome.logStartOffset,
        recordErrors: outcome.recordErrors.map(({ batchIndex, message }) => ({
          batchIndex,
          batchIndexErrorMessage: message,
        })),
        errorMessage: outcome.message,
        ...(isElsewhere ? { currentLeader: hints.of(topic, index) } : {}),
      }
    }),
  }))
  return withHints ? { responses, nodeEndpoints: hints.endpoints() } : { responses }
}

/** Outcomes in the order of the items: those refused beforehand and those of the appends. */
function merge(items: readonly Item[], appended: readonly AppendOutcome[]): AppendOutcome[] {
  let at = 0
  return items.map(item => item.refused ?? appended[at++] ?? refusedAppend('UNKNOWN_SERVER_ERROR', null))
}

function closeOnError(items: readonly Item[], outcomes: readonly AppendOutcome[]): typeof noReply {
  const failed = outcomes.findIndex(outcome => outcome.error !== 'NONE')
  if (failed < 0) return noReply
  const { topic, partition } = items[failed] ?? { topic: '', partition: -1 }
  throw new ProtocolError(`Produce with acks=0 to ${topic}-${partition} failed with ${outcomes[failed]?.error}`)
}

/** The transaction of the request's records; undefined when there is none, or why they are refused as a whole. */
function transactionOf(
  request: ProduceRequest,
  entries: readonly AppendEntry[],
  context: RequestContext,
): TransactionalAppends | ErrorName | undefined {
  let baseSequences: (number | undefined)[] | undefined
  let first: { readonly producerId: bigint; readonly producerEpoch: number } | undefined
  for (let index = 0; index < entries.length; index++) {
    const records = entries[index]?.records
    const producer = records === undefined ? undefined : transactionalProducerOf(records)
    if (producer === undefined) continue
    first ??= producer
    if (producer.producerId !== first.producerId || producer.producerEpoch !== first.producerEpoch)
      return 'INVALID_PRODUCER_ID_MAPPING'
    baseSequences ??= []
    baseSequences[index] = producer.baseSequence
  }
  if (first === undefined || baseSequences === undefined) return undefined
  const { transactionalId } = request
  if (transactionalId === null || !context.authorize('Write', 'TransactionalId', transactionalId))
    return 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED'
  const { producerId, producerEpoch } = first
  const transaction = { transactionalId, producerId, producerEpoch }
  return { transaction, support: supportOfProduce(context.apiVersion), baseSequences }
}

export const produce = handler<ProduceRequest, Response>({
  apiKey: 0,
  versions: [3, 13],
  listeners: ['broker'],
  authorization: [right('Write', 'Topic'), requestRight('Write', 'TransactionalId', transactionalIdOf)],
  fail: (request, error, message) => ({
    responses: request.topicData.map(({ name, topicId, partitionData }) => ({
      name,
      topicId,
      partitionResponses: partitionData.map(({ index }) => failedPartition(index, error, message)),
    })),
  }),
  handle: (request, context) => {
    const broker = brokerOf(context)
    const items = itemsOf(request, context, broker)
    const entries = items.flatMap(item => (item.entry === undefined ? [] : [item.entry]))
    const { acks } = request
    const requiredAcks = acks === 0 || acks === 1 ? acks : -1
    const { connection, apiVersion } = context
    const transactional = transactionOf(request, entries, context)
    const options = { requiredAcks, timeoutMs: request.timeoutMs, connection } as const
    const appended =
      typeof transactional === 'string'
        ? items.map(() => refusedAppend(transactional, null))
        : broker.replicas.append(entries, options, transactional)
    const answer = (outcomes: readonly AppendOutcome[]): Response | typeof noReply => {
      const merged = merge(items, outcomes)
      if (acks === 0) return closeOnError(items, merged)
      const { listenerName } = connection
      return responseOf(request, merged, items, { apiVersion, listenerName, image: context.services.metadata() })
    }
    return appended instanceof Promise ? appended.then(answer) : answer(appended)
  },
})

function failedPartition(index: number, error: ErrorName, errorMessage: string) {
  return {
    index,
    errorCode: errorCode(error),
    baseOffset: -1,
    logAppendTimeMs: -1,
    logStartOffset: -1,
    recordErrors: [],
    errorMessage,
  }
}
