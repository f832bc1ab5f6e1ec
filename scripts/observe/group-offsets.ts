/** Committed offsets of groups (OffsetFetch), and where share groups are (DescribeShareGroupOffsets). */
import { errorName } from '#broker/protocol/errors.ts'
import { offsetFetchRequest, offsetFetchResponse } from '#broker/protocol/messages/09-offset-fetch.ts'
import {
  describeShareGroupOffsetsRequest,
  describeShareGroupOffsetsResponse,
} from '#broker/protocol/messages/90-describe-share-group-offsets.ts'
import type { Offset } from '../history/operation.ts'
import type { Line } from './lines.ts'
import { unknown, type GroupType, type Known } from './model.ts'

/** Several groups at once since version 8; version 9 is the last that names topics. */
const committed = { request: offsetFetchRequest, response: offsetFetchResponse, oldest: 8, newest: 9 }
const shared = { request: describeShareGroupOffsetsRequest, response: describeShareGroupOffsetsResponse }

export interface GroupOffset {
  readonly topic: string
  readonly index: number
  readonly committed: Offset
  /** As the coordinator says; undefined where it is to be reckoned against the high watermark. */
  readonly lag?: Known<number>
}

export type GroupOffsets = readonly GroupOffset[]

export async function askGroupOffsets(
  line: Line,
  type: GroupType,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Known<GroupOffsets>>> {
  return type === 'share' ? await askShared(line, ids) : await askCommitted(line, ids)
}

async function askCommitted(line: Line, ids: readonly string[]): Promise<Map<string, Known<GroupOffsets>>> {
  const { groups } = await line.ask(committed, {
    groups: ids.map(groupId => ({ groupId, topics: null })),
    requireStable: false,
  })
  return new Map(
    groups.map(({ groupId, errorCode, topics }): [string, Known<GroupOffsets>] => {
      if (errorCode !== 0) return [groupId, unknown(`broker ${line.broker} answers ${errorName(errorCode)}`)]
      const failed = topics.flatMap(({ partitions }) => partitions).find(partition => partition.errorCode !== 0)
      if (failed !== undefined)
        return [groupId, unknown(`broker ${line.broker} answers ${errorName(failed.errorCode)}`)]
      const offsets = topics.flatMap(({ name: topic, partitions }) =>
        partitions
          .filter(partition => partition.committedOffset >= 0)
          .map(({ partitionIndex: index, committedOffset }) => ({ topic, index, committed: committedOffset })),
      )
      return [groupId, offsets]
    }),
  )
}

async function askShared(line: Line, ids: readonly string[]): Promise<Map<string, Known<GroupOffsets>>> {
  const { groups } = await line.ask(shared, { groups: ids.map(groupId => ({ groupId, topics: null })) })
  return new Map(
    groups.map(({ groupId, errorCode, topics }): [string, Known<GroupOffsets>] => {
      if (errorCode !== 0) return [groupId, unknown(`broker ${line.broker} answers ${errorName(errorCode)}`)]
      const failed = topics.flatMap(({ partitions }) => partitions).find(partition => partition.errorCode !== 0)
      if (failed !== undefined)
        return [groupId, unknown(`broker ${line.broker} answers ${errorName(failed.errorCode)}`)]
      const offsets = topics.flatMap(({ topicName: topic, partitions }) =>
        partitions
          .filter(partition => partition.startOffset >= 0)
          .map(({ partitionIndex: index, startOffset, lag }) => ({
            topic,
            index,
            committed: startOffset,
            lag: lag >= 0 ? lag : unknown(`broker ${line.broker} does not tell the lag of share groups`),
          })),
      )
      return [groupId, offsets]
    }),
  )
}
