/**
 * DescribeLogDirs: v1-5. The log directories of this broker and the size of what lies in them (KIP-113).
 *
 * Behavior: answered by the broker that is asked, for itself alone. Copies on their way into another directory are told apart from logs. Topics null: all partitions; those that are not here are left out.
 * Versions: v2 flexible; v3 an error of the whole; v4 the size of the volume (KIP-827); v5 cordoned directories (KIP-1066).
 * Errors: per directory KAFKA_STORAGE_ERROR when it is offline.
 */
import { errorCode } from '../protocol/errors.ts'
import type { DescribeLogDirsRequest, describeLogDirsResponse } from '../protocol/messages/35-describe-log-dirs.ts'
import type { DescribedLog, DescribedLogDir } from '../replication/log-dirs.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof describeLogDirsResponse>
type Result = Response['results'][number]

function byTopic(logs: readonly DescribedLog[]): Result['topics'] {
  const topics = new Map<string, Result['topics'][number]['partitions'][number][]>()
  for (const { topicPartition, sizeBytes, offsetLag, isFuture } of logs) {
    const { topic, partition } = topicPartition
    const partitions = topics.get(topic) ?? []
    partitions.push({ partitionIndex: partition, partitionSize: sizeBytes, offsetLag, isFutureKey: isFuture })
    topics.set(topic, partitions)
  }
  return [...topics].map(([name, partitions]) => ({ name, partitions }))
}

function resultOf({ path, online, totalBytes, usableBytes, isCordoned, logs }: DescribedLogDir): Result {
  const result = { logDir: path, topics: byTopic(logs), totalBytes, usableBytes, isCordoned }
  return { ...result, errorCode: errorCode(online ? 'NONE' : 'KAFKA_STORAGE_ERROR') }
}

export const describeLogDirs = handler<DescribeLogDirsRequest, Response>({
  apiKey: 35,
  versions: [1, 5],
  listeners: ['broker'],
  authorization: [requestRight('Describe')],
  fail: (_request, error) => ({ errorCode: errorCode(error), results: [] }),
  handle: ({ topics }, context) => {
    const wanted = topics && new Map(topics.map(({ topic, partitions }) => [topic, new Set(partitions)]))
    const described = brokerOf(context).replicas.describeLogDirs(
      ({ topic, partition }) => wanted === null || wanted.get(topic)?.has(partition) === true,
    )
    return { errorCode: 0, results: described.map(resultOf) }
  },
})
