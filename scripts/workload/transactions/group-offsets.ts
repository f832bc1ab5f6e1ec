/** How far a group has read: asked for and committed by a client that is no member of it, as a script plays it. */
import { offsetCommitRequest, offsetCommitResponse } from '#broker/protocol/messages/08-offset-commit.ts'
import { offsetFetchRequest, offsetFetchResponse } from '#broker/protocol/messages/09-offset-fetch.ts'
import type { Offset } from '../../history/operation.ts'
import type { Calls } from './calls.ts'

export interface Place {
  readonly topic: string
  readonly partition: number
}

/** The versions that name topics. */
const fetch = { request: offsetFetchRequest, response: offsetFetchResponse, newest: 7 }
const commit = { request: offsetCommitRequest, response: offsetCommitResponse, newest: 8 }

/**
 * Next offset of a group to read; 0 when it has committed none. As long as a transaction may still change it, the coordinator says so
 * (UNSTABLE_OFFSET_COMMIT), and is asked again (KIP-447).
 */
export async function committedOffset(calls: Calls, group: string, { topic, partition }: Place): Promise<Offset> {
  const body = { groupId: group, topics: [{ name: topic, partitionIndexes: [partition] }], requireStable: true }
  const { topics } = await calls.patiently(
    'OffsetFetch',
    async () => await calls.ask(await calls.coordinator('group', group), fetch, body),
    answer => answer.errorCode || (answer.topics[0]?.partitions[0]?.errorCode ?? -1),
  )
  return Math.max(0, topics[0]?.partitions[0]?.committedOffset ?? 0)
}

/** Outside of any transaction. */
export async function commitOffset(
  calls: Calls,
  group: string,
  { topic, partition, offset }: Place & { readonly offset: Offset },
): Promise<void> {
  const committed = { partitionIndex: partition, committedOffset: offset, committedMetadata: '' }
  const body = { groupId: group, memberId: '', topics: [{ name: topic, partitions: [committed] }] }
  await calls.patiently(
    'OffsetCommit',
    async () => await calls.ask(await calls.coordinator('group', group), commit, body),
    answer => answer.topics[0]?.partitions[0]?.errorCode ?? -1,
  )
}
