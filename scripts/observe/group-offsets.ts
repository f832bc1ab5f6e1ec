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
  return collected(line, groups, ({ name: topic, partitions }) =>
    partitions
      .filter(partition => partition.committedOffset >= 0)
      .map(({ partitionIndex: index, committedOffset }) => ({ topic, index, committed: committedOffset })),
  )
}

async function askShared(line: Line, ids: readonly string[]): Promise<Map<string, Known<GroupOffsets>>> {
  const { groups } = await line.ask(shared, { groups: ids.map(groupId => ({ groupId, topics: null })) })
  return collected(line, groups, ({ topicName: topic, partitions }) =>
    partitions
      .filter(partition => partition.startOffset >= 0)
      .map(({ partitionIndex: index, startOffset, lag }) => ({
        topic,
        index,
        committed: startOffset,
        lag: lag >= 0 ? lag : unknown(`broker ${line.broker} does not tell the lag of share groups`),
      })),
  )
}

/** By group; one whose answer has an error, of its own or of a partition, is unknown as a whole. */
function collected<Topic extends { readonly partitions: readonly { readonly errorCode: number }[] }>(
  line: Line,
  groups: readonly { readonly groupId: string; readonly errorCode: number; readonly topics: readonly Topic[] }[],
  offsetsOf: (topic: Topic) => GroupOffsets,
): Map<string, Known<GroupOffsets>> {
  return new Map(
    groups.map(({ groupId, errorCode, topics }): [string, Known<GroupOffsets>] => {
      const errors = [errorCode, ...topics.flatMap(({ partitions }) => partitions.map(each => each.errorCode))]
      const error = errors.find(code => code !== 0)
      if (error !== undefined) return [groupId, unknown(`broker ${line.broker} answers ${errorName(error)}`)]
      return [groupId, topics.flatMap(offsetsOf)]
    }),
  )
}
