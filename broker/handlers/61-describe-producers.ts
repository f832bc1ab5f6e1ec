/**
 * DescribeProducers: v0. The idempotent and transactional producers that a replica knows, for finding hanging transactions (KIP-664).
 *
 * Behavior:
 * - Any replica of the partition answers with what its log says; clients ask the leader unless told otherwise.
 * Errors: INVALID_TOPIC_EXCEPTION, TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR.
 * Not implemented: nothing.
 */
import { invalidTopicName } from '../controller/topic-names.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { DescribeProducersRequest, describeProducersResponse } from '../protocol/messages/61-describe-producers.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right, type RequestContext } from './handler.ts'

type Response = Input<typeof describeProducersResponse>
type PartitionResponse = Response['topics'][number]['partitions'][number]

function failed(partitionIndex: number, error: ErrorName, errorMessage: string | null = null): PartitionResponse {
  return { partitionIndex, errorCode: errorCode(error), errorMessage, activeProducers: [] }
}

function refusal(topic: string, context: RequestContext): { error: ErrorName; message: string | null } | undefined {
  const problem = invalidTopicName(topic)
  if (problem !== undefined) return { error: 'INVALID_TOPIC_EXCEPTION', message: problem }
  if (!context.authorize('Read', 'Topic', topic)) return { error: 'TOPIC_AUTHORIZATION_FAILED', message: null }
  const isKnown = context.services.metadata().topicsByName.has(topic)
  return isKnown ? undefined : { error: 'UNKNOWN_TOPIC_OR_PARTITION', message: null }
}

function describe(topic: string, partition: number, context: RequestContext): PartitionResponse {
  const replica = brokerOf(context).replicas.find(topic, partition)
  if (typeof replica === 'string') return failed(partition, replica)
  if (replica.gone !== undefined) return failed(partition, replica.gone)
  return {
    partitionIndex: partition,
    errorCode: 0,
    activeProducers: replica.log.producers().map(producer => ({
      producerId: producer.producerId,
      producerEpoch: producer.producerEpoch,
      lastSequence: producer.lastSequence,
      lastTimestamp: producer.lastTimestamp,
      coordinatorEpoch: producer.coordinatorEpoch,
      currentTxnStartOffset: producer.currentTransactionStartOffset,
    })),
  }
}

export const describeProducers = handler<DescribeProducersRequest, Response>({
  apiKey: 61,
  versions: [0, 0],
  listeners: ['broker'],
  authorization: [right('Read', 'Topic')],
  fail: (request, error, message) => ({
    topics: request.topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map(partition => failed(partition, error, message)),
    })),
  }),
  handle: (request, context) => ({
    topics: request.topics.map(({ name, partitionIndexes }) => {
      const refused = refusal(name, context)
      const answer = (partition: number): PartitionResponse =>
        refused === undefined ? describe(name, partition, context) : failed(partition, refused.error, refused.message)
      return { name, partitions: partitionIndexes.map(answer) }
    }),
  }),
})
