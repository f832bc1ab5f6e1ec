/** The members of groups and what they are assigned, in one form for the four kinds of groups and their four APIs. */
import { errorName } from '#broker/protocol/errors.ts'
import { describeGroupsRequest, describeGroupsResponse } from '#broker/protocol/messages/15-describe-groups.ts'
import {
  consumerGroupDescribeRequest,
  consumerGroupDescribeResponse,
} from '#broker/protocol/messages/69-consumer-group-describe.ts'
import {
  shareGroupDescribeRequest,
  shareGroupDescribeResponse,
} from '#broker/protocol/messages/77-share-group-describe.ts'
import {
  streamsGroupDescribeRequest,
  streamsGroupDescribeResponse,
} from '#broker/protocol/messages/89-streams-group-describe.ts'
import { ProtocolError } from '#broker/protocol/errors.ts'
import { consumerProtocolAssignment } from '#broker/protocol/records/consumer-protocol.ts'
import { decodeVersioned } from '#broker/protocol/records/prefixed.ts'
import type { Line } from './lines.ts'
import { unknown, type GroupType, type Known, type ObservedGroup, type ObservedMember } from './model.ts'

const classic = { request: describeGroupsRequest, response: describeGroupsResponse }
const consumer = { request: consumerGroupDescribeRequest, response: consumerGroupDescribeResponse }
const share = { request: shareGroupDescribeRequest, response: shareGroupDescribeResponse }
const streams = { request: streamsGroupDescribeRequest, response: streamsGroupDescribeResponse }

export type DescribedGroup = Pick<ObservedGroup, 'state' | 'epoch' | 'assignmentEpoch' | 'assignor' | 'members'>
type Described = ReadonlyMap<string, Known<DescribedGroup>>

export const describeByType: Readonly<Record<GroupType, (line: Line, ids: readonly string[]) => Promise<Described>>> = {
  classic: describeClassic,
  consumer: describeConsumer,
  share: describeShare,
  streams: describeStreams,
}

async function describeClassic(line: Line, ids: readonly string[]): Promise<Described> {
  const { groups } = await line.ask(classic, { groups: [...ids] })
  return collected(line, groups, group => ({
    state: group.groupState,
    epoch: null,
    assignmentEpoch: null,
    assignor: group.protocolData,
    members: group.members.map(member => ({
      id: member.memberId,
      instanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      epoch: null,
      assignment: group.protocolType === 'consumer' ? classicAssignment(member.memberAssignment) : [],
    })),
  }))
}

/** What the leader of the group wrote for a member; opaque to the broker, and empty while the group rebalances. */
function classicAssignment(bytes: Buffer): readonly string[] {
  if (bytes.length === 0) return []
  try {
    const { value } = decodeVersioned(consumerProtocolAssignment, bytes, { lenient: true })
    return partitionNames(value.assignedPartitions.map(({ topic, partitions }) => ({ topicName: topic, partitions })))
  } catch (error) {
    // Members may agree on bytes of their own.
    if (error instanceof ProtocolError) return []
    throw error
  }
}

async function describeConsumer(line: Line, ids: readonly string[]): Promise<Described> {
  const { groups } = await line.ask(consumer, { groupIds: [...ids], includeAuthorizedOperations: false })
  return collected(line, groups, group => ({
    ...modernGroup(group),
    assignor: group.assignorName,
    members: group.members.map(member => ({
      ...modernMember(member),
      instanceId: member.instanceId,
      assignment: partitionNames(member.assignment.topicPartitions),
    })),
  }))
}

async function describeShare(line: Line, ids: readonly string[]): Promise<Described> {
  const { groups } = await line.ask(share, { groupIds: [...ids], includeAuthorizedOperations: false })
  return collected(line, groups, group => ({
    ...modernGroup(group),
    assignor: group.assignorName,
    members: group.members.map(member => ({
      ...modernMember(member),
      instanceId: null,
      assignment: partitionNames(member.assignment.topicPartitions),
    })),
  }))
}

async function describeStreams(line: Line, ids: readonly string[]): Promise<Described> {
  const { groups } = await line.ask(streams, { groupIds: [...ids], includeAuthorizedOperations: false })
  return collected(line, groups, group => ({
    ...modernGroup(group),
    assignor: '',
    members: group.members.map(member => ({
      ...modernMember(member),
      instanceId: member.instanceId,
      assignment: [
        ...taskNames(member.assignment.activeTasks, ''),
        ...taskNames(member.assignment.standbyTasks, ' (standby)'),
        ...taskNames(member.assignment.warmupTasks, ' (warmup)'),
      ],
    })),
  }))
}

function modernGroup(group: {
  readonly groupState: string
  readonly groupEpoch: number
  readonly assignmentEpoch: number
}): Pick<DescribedGroup, 'state' | 'epoch' | 'assignmentEpoch'> {
  const { groupState: state, groupEpoch: epoch, assignmentEpoch } = group
  return { state, epoch, assignmentEpoch }
}

function modernMember(member: {
  readonly memberId: string
  readonly clientId: string
  readonly clientHost: string
  readonly memberEpoch: number
}): Pick<ObservedMember, 'id' | 'clientId' | 'clientHost' | 'epoch'> {
  const { memberId: id, clientId, clientHost, memberEpoch: epoch } = member
  return { id, clientId, clientHost, epoch }
}

function collected<G extends { readonly groupId: string; readonly errorCode: number }>(
  line: Line,
  groups: readonly G[],
  read: (group: G) => DescribedGroup,
): Described {
  return new Map(
    groups.map((group): [string, Known<DescribedGroup>] => {
      if (group.errorCode !== 0)
        return [group.groupId, unknown(`broker ${line.broker} answers ${errorName(group.errorCode)}`)]
      const described = read(group)
      const members = [...described.members].sort((a, b) => (a.id < b.id ? -1 : 1))
      return [group.groupId, { ...described, members }]
    }),
  )
}

function partitionNames(
  topics: readonly { readonly topicName: string; readonly partitions: readonly number[] }[],
): string[] {
  const sorted = [...topics].sort((a, b) => (a.topicName < b.topicName ? -1 : 1))
  return sorted.flatMap(({ topicName, partitions }) => ascending(partitions).map(index => `${topicName}-${index}`))
}

function taskNames(
  tasks: readonly { readonly subtopologyId: string; readonly partitions: readonly number[] }[],
  kind: string,
): string[] {
  const sorted = [...tasks].sort((a, b) => (a.subtopologyId < b.subtopologyId ? -1 : 1))
  return sorted.flatMap(task => ascending(task.partitions).map(index => `${task.subtopologyId}_${index}${kind}`))
}

function ascending(numbers: readonly number[]): number[] {
  return [...numbers].sort((a, b) => a - b)
}
