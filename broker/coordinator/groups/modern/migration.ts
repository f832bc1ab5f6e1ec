/**
 * A classic group of consumers becomes a consumer group when its first member of the new protocol joins, and a classic group again when the
 * last one leaves (group.consumer.migration.policy). Nobody loses what it has: assignments go over as they are.
 * Source: KIP-848 "Migration".
 */
import type { MetadataImage } from '../../../controller/image.ts'
import { groupRecords } from '../../../protocol/records/group/index.ts'
import { encodeCoordinatorKey, encodeVersioned } from '../../../protocol/records/prefixed.ts'
import type { CoordinatorRecord } from '../../runtime/effects.ts'
import type { ClassicGroup } from '../classic-group.ts'
import { electProtocol, type ClassicMember } from '../classic-member.ts'
import { assignmentFrom, subscriptionOf } from '../classic-subscription.ts'
import { assignmentOf, type Assignment } from './assignment.ts'
import { assignmentBytes, ownedBy } from './consumer-classic.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerSettings } from './consumer-heartbeat.ts'
import { newConsumerMember, withEpoch, type ConsumerMember } from './consumer-member.ts'
import { consumerRecords, memberRecord, progressRecord } from './consumer-records.ts'
import { metadataHash } from './subscribed-topics.ts'

const groupVersion = 3

/** Its records, or why it cannot be done. */
export function upgrade(
  group: ClassicGroup,
  image: MetadataImage,
  settings: ConsumerSettings,
): readonly CoordinatorRecord[] | string {
  const cannot = (reason: string): string => `Group ${group.groupId} is a classic group and stays one: ${reason}.`
  const { migrationPolicy: policy } = settings
  if (policy !== 'UPGRADE' && policy !== 'BIDIRECTIONAL')
    return cannot('group.consumer.migration.policy allows no upgrade')
  if (group.protocolType !== 'consumer') return cannot('its members are no consumers')
  if (group.members.size > settings.maxSize) return cannot('it has more members than group.consumer.max.size')
  const members: { readonly member: ConsumerMember; readonly target: Assignment }[] = []
  for (const classic of group.members.values()) {
    const made = consumerMember(group, classic, image)
    if (typeof made === 'string') return cannot(made)
    members.push(made)
  }
  const { groupId } = group
  const epoch = firstEpochOf(group)
  const records = consumerRecords(groupId)
  const names = new Set(members.flatMap(({ member }) => [...member.subscribedTopicNames]))
  return [
    ...group.tombstones(),
    ...members.map(({ member }) => memberRecord(groupId, member)),
    records.epoch(epoch, metadataHash(names, image)),
    ...members.map(({ member, target }) => records.target(member.memberId, target)),
    records.targetMetadata(epoch, 0),
    ...members.map(({ member }) => progressRecord(groupId, member)),
  ]
}

/** That of its generation. Members that still wait for their first one are sent back to join. */
const firstEpochOf = ({ generationId }: ClassicGroup): number => Math.max(1, generationId)

function consumerMember(
  group: ClassicGroup,
  classic: ClassicMember,
  image: MetadataImage,
): { member: ConsumerMember; target: Assignment } | string {
  const { protocols } = classic
  const subscription = subscriptionOf(protocols.find(({ name }) => name === group.protocolName) ?? protocols[0])
  if (subscription === undefined) return 'the subscription of a member cannot be read'
  const assigned = classic.assignment.length === 0 ? undefined : assignmentFrom(classic.assignment)
  if (classic.assignment.length > 0 && assigned === undefined) return 'the assignment of a member cannot be read'
  if ((assigned?.userData?.length ?? 0) > 0) return 'its assignor keeps data of its own, which a consumer group cannot'
  // In the midst of a rebalance its assignment is not known yet, and it keeps what it says it owns.
  const target = assigned === undefined ? ownedBy(subscription, image) : byId(assigned.assignedPartitions, image)
  const epoch = firstEpochOf(group)
  const member: ConsumerMember = {
    ...newConsumerMember(classic.memberId),
    instanceId: classic.groupInstanceId,
    rackId: subscription.rackId === '' ? null : subscription.rackId,
    clientId: classic.clientId,
    clientHost: classic.clientHost,
    rebalanceTimeoutMs: classic.rebalanceTimeoutMs,
    subscribedTopicNames: new Set(subscription.topics),
    memberEpoch: epoch,
    previousMemberEpoch: epoch,
    assigned: withEpoch(target, epoch),
    classic: { sessionTimeoutMs: classic.sessionTimeoutMs, supportedProtocols: protocols },
  }
  return { member, target }
}

function byId(
  topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
  image: MetadataImage,
): Assignment {
  return assignmentOf(
    topics.flatMap(({ topic, partitions }) => {
      const topicId = image.topicsByName.get(topic)?.id
      return topicId === undefined ? [] : [{ topicId, partitions }]
    }),
  )
}

/** All who stay use the classic protocol, there are some, and the policy lets them. */
export function mayDowngrade(
  group: ConsumerGroup,
  leaving: ReadonlySet<string>,
  { migrationPolicy: policy, classicMaxSize }: ConsumerSettings,
): boolean {
  const staying = [...group.members.values()].filter(({ memberId }) => !leaving.has(memberId))
  return (
    (policy === 'DOWNGRADE' || policy === 'BIDIRECTIONAL') &&
    staying.length > 0 &&
    staying.length <= classicMaxSize &&
    staying.every(({ classic }) => classic !== null)
  )
}

/** The classic group that is left when the members named are gone: its record, and the protocols of its members. */
export function downgrade(
  group: ConsumerGroup,
  leaving: ReadonlySet<string>,
  image: MetadataImage,
  nowWallMs: number,
): { readonly record: CoordinatorRecord; readonly protocols: ReadonlyMap<string, ClassicMember['protocols']> } {
  const staying = [...group.members.values()].filter(({ memberId }) => !leaving.has(memberId))
  const protocols = new Map(staying.map(({ memberId, classic }) => [memberId, classic?.supportedProtocols ?? []]))
  const protocol = electProtocol([...protocols.values()].map(each => ({ protocols: each })))
  const { GroupMetadata } = groupRecords
  const members = staying.map(member => {
    const subscription = protocols.get(member.memberId)?.find(({ name }) => name === protocol)?.metadata
    return {
      memberId: member.memberId,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.classic?.sessionTimeoutMs ?? 0,
      subscription: subscription ?? Buffer.alloc(0),
      assignment: assignmentBytes(group.targetOf(member.memberId), subscription, image),
    }
  })
  const record = {
    key: encodeCoordinatorKey(GroupMetadata.key, { group: group.groupId }),
    value: encodeVersioned(GroupMetadata.value, groupVersion, {
      protocolType: 'consumer',
      generation: group.groupEpoch,
      protocol,
      leader: null,
      currentStateTimestamp: nowWallMs,
      members,
    }),
  }
  return { record, protocols }
}
