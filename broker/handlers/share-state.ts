/** What the requests of brokers to the share coordinator have in common: partitions by topic, each answered by itself. */
import type { Refused } from '../coordinator/share/share-shard.ts'
import type { ShareKey } from '../coordinator/share/share-records.ts'
import { errorCode, errorMessage, type ErrorName } from '../protocol/errors.ts'

interface Asked {
  readonly partition: number
}

interface AskedTopics<Partition extends Asked> {
  readonly groupId: string
  readonly topics: readonly { readonly topicId: string; readonly partitions: readonly Partition[] }[]
}

export interface ShareResult {
  readonly partition: number
  readonly errorCode: number
  readonly errorMessage: string | null
}

export interface ShareResults<Result> {
  readonly results: { topicId: string; partitions: Result[] }[]
}

export function shareResult(partition: number, { error, message }: Refused): ShareResult {
  return {
    partition,
    errorCode: errorCode(error),
    errorMessage: error === 'NONE' ? null : (message ?? errorMessage(error)),
  }
}

export async function forEachSharePartition<Partition extends Asked, Result>(
  { groupId, topics }: AskedTopics<Partition>,
  ask: (key: ShareKey, partition: Partition) => Promise<Result> | Result,
): Promise<ShareResults<Result>> {
  const results = await Promise.all(
    topics.map(async ({ topicId, partitions }) => ({
      topicId,
      partitions: await Promise.all(partitions.map(each => ask({ groupId, topicId, partition: each.partition }, each))),
    })),
  )
  return { results }
}

/** The same error for every partition of the request. */
export function failEachSharePartition<Result>(
  { topics }: AskedTopics<Asked>,
  error: ErrorName,
  result: (failed: ShareResult) => Result,
): ShareResults<Result> {
  return {
    results: topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map(({ partition }) => result(shareResult(partition, { error }))),
    })),
  }
}
