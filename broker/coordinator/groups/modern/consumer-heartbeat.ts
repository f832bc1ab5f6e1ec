/**
 * ConsumerGroupHeartbeat (KIP-848): the life of a member of the consumer protocol.
 *
 * A turn of a member has four parts, and each writes what it changes, so that the next sees it:
 * 1. what the member says of itself (its metadata),
 * 2. the group epoch, which rises when subscriptions or the subscribed topics changed,
 * 3. the target, made anew when it is behind the group epoch and group.consumer.assignment.interval.ms lets it,
 * 4. the member's own step towards its target (reconcile.ts).
 * Members of the classic protocol in the group take the same turns (consumer-classic.ts). Who may take one: heartbeat-checks.ts; how members
 * go: departure.ts.
 */
import type { MetadataImage } from '../../../controller/image.ts'
import type { ErrorName } from '../../../protocol/errors.ts'
import type { Assignment } from './assignment.ts'
import type { Assignor } from './assignors/assignor.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import {
  newConsumerMember,
  regexOf,
  sameEpochs,
  sameMetadata,
  sameSubscribedNames,
  withoutEpochs,
  type ConsumerMember,
} from './consumer-member.ts'
import { memberRecord, progressRecord, tombstones } from './consumer-records.ts'
import type { Write } from './modern-group.ts'
import { reconcile } from './reconcile.ts'
import { refreshRegexes } from './regexes.ts'
import { replaceMember } from './seats.ts'
import type { TopicPatterns } from './topic-patterns.ts'

export interface ConsumerSettings {
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly assignmentIntervalMs: number
  readonly regexRefreshIntervalMs: number
  readonly maxSize: number
  /** Which way groups may change between the protocols. */
  readonly migrationPolicy: 'DISABLED' | 'UPGRADE' | 'DOWNGRADE' | 'BIDIRECTIONAL'
  /** Bounds of classic members: group.min.session.timeout.ms and its like. */
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
  readonly classicMaxSize: number
  /** group.consumer.assignors, the first one is the default. */
  readonly assignors: readonly Assignor[]
}

/** What a step of a modern group may use. */
export interface GroupStep {
  readonly image: MetadataImage
  readonly nowMs: number
  readonly nowWallMs: number
  readonly settings: ConsumerSettings
  readonly write: Write
  /** Members are out; the group may become a classic one by that. */
  readonly fence: (group: ConsumerGroup, members: readonly ConsumerMember[]) => void
  /** Topics that a pattern may stand for. */
  readonly mayDescribe: (topic: string) => boolean
  readonly patterns: TopicPatterns
}

export interface ConsumerHeartbeat {
  readonly groupId: string
  /** Never empty: v0 members are named by the handler. */
  readonly memberId: string
  readonly memberEpoch: number
  readonly instanceId: string | null
  readonly rackId: string | null
  /** -1: as before. */
  readonly rebalanceTimeoutMs: number
  readonly clientId: string
  readonly clientHost: string
  readonly subscribedTopicNames: readonly string[] | null
  readonly subscribedTopicRegex: string | null
  readonly serverAssignor: string | null
  /** What it owns; null: as before. */
  readonly owned: Assignment | null
}

export interface HeartbeatAnswer {
  readonly error: ErrorName
  readonly message: string | null
  readonly memberId: string
  readonly memberEpoch: number
  readonly heartbeatIntervalMs: number
  /** Undefined: as before. */
  readonly assignment: Assignment | undefined
}

export function refuseHeartbeat(error: ErrorName, message: string | null = null): HeartbeatAnswer {
  return { error, message, memberId: '', memberEpoch: 0, heartbeatIntervalMs: 0, assignment: undefined }
}

/** Joining or staying, after `heartbeatRefusal` had nothing against it. */
export function heartbeat(group: ConsumerGroup, request: ConsumerHeartbeat, step: GroupStep): HeartbeatAnswer {
  const before = seatOf(group, request, step.write)
  const after = withRequest(before, request)
  const member = takeTurn(group, { before, after, owned: request.owned ?? undefined }, step)
  if (member === 'fence')
    return refuseHeartbeat(
      'FENCED_MEMBER_EPOCH',
      `Member ${before.memberId} is in a state that this broker does not know: it must drop its partitions and join again.`,
    )
  const { sessionTimeoutMs, heartbeatIntervalMs } = step.settings
  group.heard(member.memberId, step.nowMs, sessionTimeoutMs)
  const { memberId, memberEpoch, assigned } = member
  const tells = isFull(request) || !sameEpochs(before.assigned, assigned)
  const assignment = tells ? withoutEpochs(assigned) : undefined
  return { error: 'NONE', message: null, memberId, memberEpoch, heartbeatIntervalMs, assignment }
}

/** A member that says all it can say, when it joins or after a failed request, is told all. */
function isFull(request: ConsumerHeartbeat): boolean {
  const { memberEpoch, rebalanceTimeoutMs, subscribedTopicNames, subscribedTopicRegex, owned } = request
  const subscribes = subscribedTopicNames !== null || subscribedTopicRegex !== null
  return memberEpoch === 0 || (rebalanceTimeoutMs !== -1 && subscribes && owned !== null)
}

/** The member as it is known; a static member that comes back takes the place of its former self. */
function seatOf(group: ConsumerGroup, request: ConsumerHeartbeat, write: Write): ConsumerMember {
  const { memberId, instanceId, memberEpoch } = request
  const former = instanceId !== null && memberEpoch === 0 ? group.staticMember(instanceId) : undefined
  if (former !== undefined) return replaceMember(group, former, memberId, write)
  return group.members.get(memberId) ?? newConsumerMember(memberId)
}

/** What a request leaves out is as before. */
function withRequest(member: ConsumerMember, request: ConsumerHeartbeat): ConsumerMember {
  const { subscribedTopicNames: names, rebalanceTimeoutMs } = request
  return {
    ...member,
    instanceId: request.instanceId ?? member.instanceId,
    rackId: request.rackId ?? member.rackId,
    clientId: request.clientId,
    clientHost: request.clientHost,
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : rebalanceTimeoutMs,
    serverAssignor: request.serverAssignor ?? member.serverAssignor,
    subscribedTopicNames: names === null ? member.subscribedTopicNames : new Set(names),
    subscribedTopicRegex: request.subscribedTopicRegex ?? member.subscribedTopicRegex,
    classic: null,
  }
}

// ------------------------------------------------------------------------------------------------------------- a turn

export interface MemberChange {
  readonly before: ConsumerMember
  readonly after: ConsumerMember
  /** What it says it owns; undefined: nothing new. */
  readonly owned: Assignment | undefined
}

/** The member as it is afterwards. 'fence': see `reconcile`. */
export function takeTurn(group: ConsumerGroup, change: MemberChange, step: GroupStep): ConsumerMember | 'fence' {
  const { before, after } = change
  if (!group.members.has(after.memberId) || !sameMetadata(before, after)) step.write(memberRecord(group.groupId, after))
  const subscriptionChanged = !sameSubscribedNames(before, after) || regexOf(before) !== regexOf(after)
  raiseEpoch(group, change, subscriptionChanged, step)
  renewTarget(group, step)
  return progress(group, change, subscriptionChanged, step)
}

function raiseEpoch(
  group: ConsumerGroup,
  { before, after }: MemberChange,
  subscriptionChanged: boolean,
  { image, write, ...step }: GroupStep,
): void {
  const topicsOfPatternsChanged = refreshRegexes(group, regexOf(before), regexOf(after), { image, write, ...step })
  group.refreshMetadata(image, subscriptionChanged || topicsOfPatternsChanged, write)
  if (group.hasPartitionMetadata) write(tombstones.partitionMetadata(group.groupId))
}

function renewTarget(group: ConsumerGroup, { image, nowWallMs, settings, write }: GroupStep): void {
  if (group.mustAwaitAssignment(settings.assignmentIntervalMs, nowWallMs)) return
  group.updateTarget({ assignor: assignorOf(group, settings), image, nowWallMs, write })
}

/** The one that most members ask for, of those that this broker has. */
function assignorOf(group: ConsumerGroup, { assignors: [first, ...others] }: ConsumerSettings): Assignor {
  if (first === undefined) throw new Error('group.consumer.assignors names none')
  const wanted = group.preferredAssignor()
  return others.find(({ name }) => name === wanted) ?? first
}

function progress(
  group: ConsumerGroup,
  { after, owned }: MemberChange,
  subscriptionChanged: boolean,
  { image, nowMs, write }: GroupStep,
): ConsumerMember | 'fence' {
  const next = reconcile(after, {
    epoch: group.assignmentEpoch,
    target: group.targetOf(after.memberId),
    subscribed: group.subscribedTopicIds(after, image),
    subscriptionChanged,
    owned,
    isHeld: (topicId, partition) => group.isHeld(topicId, partition),
  })
  if (next === 'fence' || next === after) return next
  write(progressRecord(group.groupId, next))
  // Members of the classic protocol are timed by their joins and syncs.
  if (next.classic === null) {
    if (next.state === 'unrevoked') group.awaitRevocation(next.memberId, nowMs, next.rebalanceTimeoutMs)
    else group.hasRevoked(next.memberId)
  }
  return next
}
