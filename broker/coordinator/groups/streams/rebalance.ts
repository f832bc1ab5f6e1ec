/**
 * What moves the three epochs of a streams group: each function looks whether there is cause, and writes the records that say so. None
 * keeps anything; the state is what the records make of the group (streams-group.ts).
 *
 *   group epoch        rises with every change of the members, of the topics they need, of whether these fit, and of the settings that an
 *                      assignment depends on
 *   assignment epoch   follows the group epoch, at once or after a delay (streams.initial.rebalance.delay.ms: more members may come;
 *                      streams.assignment.interval.ms)
 *   member epoch       follows the assignment epoch, once the member has given up what it is to give up. One that has, and learns of a newer
 *                      target that takes still more from it, is one epoch on and has that to give up first
 * No epoch ever goes back. Source: KIP-1071, KIP-848 (epochs), KIP-1251 (epochs of tasks).
 */
import { isDeepStrictEqual } from 'node:util'
import type { MetadataImage } from '../../../controller/image.ts'
import { noAssignment, type Assignment } from '../modern/assignment.ts'
import { reconcile } from '../modern/reconcile.ts'
import { metadataHash } from '../modern/subscribed-topics.ts'
import type { Plan } from './partition-plan.ts'
import type { Status } from './statuses.ts'
import { assignTasks } from './sticky-assignor.ts'
import type { StreamsGroup } from './streams-group.ts'
import type { StreamsHeartbeat, StreamsStep } from './streams-heartbeat.ts'
import { newStreamsMember, sameStreamsMetadata, type StreamsMember } from './streams-member.ts'
import {
  epochRecord,
  streamsMemberRecord,
  streamsProgressRecord,
  streamsTombstones,
  topologyRecord,
} from './streams-records.ts'
import { requiredTopics } from './topology.ts'

interface Introduction {
  readonly before: StreamsMember
  readonly after: StreamsMember
  readonly isChanged: boolean
}

/** Takes down who the member is; the first member of an empty group begins the wait for others. */
export function introduce(group: StreamsGroup, request: StreamsHeartbeat, step: StreamsStep): Introduction {
  const { write, settings, nowMs } = step
  const { groupId } = group
  const known = group.members.get(request.memberId)
  const before = known ?? newStreamsMember(request.memberId)
  const after = described(before, request)
  if (group.isEmpty && settings.initialRebalanceDelayMs > 0 && group.delayUntilMs === 0)
    group.delayUntilMs = nowMs + settings.initialRebalanceDelayMs
  const isChanged = known === undefined || !sameStreamsMetadata(before, after)
  if (isChanged) write(streamsMemberRecord(groupId, after))
  if (group.topology === undefined && request.topology !== null) write(topologyRecord(groupId, request.topology))
  return { before, after, isChanged }
}

/** The member as its heartbeat describes it: what it does not say is as before. */
function described(member: StreamsMember, request: StreamsHeartbeat): StreamsMember {
  const { rackId, rebalanceTimeoutMs, topology, processId, userEndpoint, clientTags, clientId, clientHost } = request
  return {
    ...member,
    clientId,
    clientHost,
    rackId: rackId ?? member.rackId,
    processId: processId ?? member.processId,
    clientTags: clientTags ?? member.clientTags,
    userEndpoint: userEndpoint ?? member.userEndpoint,
    topologyEpoch: topology?.epoch ?? member.topologyEpoch,
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : rebalanceTimeoutMs,
  }
}

/** @param cause.isChanged  a member came, or says something else of itself than before */
export function raiseEpoch(
  group: StreamsGroup,
  cause: { readonly isChanged: boolean; readonly plan: Plan },
  { image, settings, write }: StreamsStep,
): void {
  const now = {
    metadataHash: currentHash(group, image),
    validatedTopologyEpoch: group.obstacle(cause.plan) === undefined ? (group.topology?.epoch ?? -1) : -1,
    configs: new Map([['num.standby.replicas', String(settings.standbyReplicas)]]),
  }
  const { metadataHash: hash, validatedTopologyEpoch, configs } = group
  const last = { metadataHash: hash, validatedTopologyEpoch, configs }
  if (cause.isChanged || !isDeepStrictEqual(now, last))
    write(epochRecord(group.groupId, { ...now, epoch: group.groupEpoch + 1 }))
}

/** Of the topics that the topology needs; computed anew only when one of them may have changed. */
function currentHash(group: StreamsGroup, image: MetadataImage): bigint {
  const { topology, isMetadataStale } = group
  if (!isMetadataStale || topology === undefined) return group.metadataHash
  group.isMetadataStale = false
  return metadataHash(requiredTopics(topology), image)
}

/** Makes the target for the group epoch, if there is none; the status when that has to wait. */
export function assign(group: StreamsGroup, step: StreamsStep): Status | undefined {
  const { settings, nowMs, nowWallMs, image, write } = step
  if (group.delayUntilMs > nowMs)
    return { status: 'ASSIGNMENT_DELAYED', detail: 'The group waits for more members before its first assignment.' }
  group.delayUntilMs = 0
  if (group.assignmentEpoch >= group.groupEpoch) return undefined
  if (group.mustAwaitAssignment(settings.assignmentIntervalMs, nowWallMs))
    return { status: 'ASSIGNMENT_DELAYED', detail: 'The last assignment was made a moment ago; the next one waits.' }
  const assignor = { name: 'sticky', assign: () => targetsOf(group, step) }
  group.updateTarget({ assignor, image, nowWallMs, write })
  return undefined
}

/** Nobody has tasks while topics are missing or do not fit. */
function targetsOf(group: StreamsGroup, { image, settings }: StreamsStep): ReadonlyMap<string, Assignment> {
  const plan = group.planFor(image)
  if (plan.kind !== 'plan' || plan.missing.length > 0) return new Map()
  const members = [...group.members.values()].map(({ memberId, processId }) => ({
    memberId,
    processId,
    assignment: group.target.get(memberId) ?? noAssignment,
  }))
  return assignTasks(members, plan.subtopologies, settings.standbyReplicas)
}

/** Brings the member nearer to its target. */
export function advance(
  group: StreamsGroup,
  member: StreamsMember,
  owned: Assignment | undefined,
  step: StreamsStep,
): StreamsMember {
  const target = group.targetOf(member.memberId)
  const next = reconcile(member, {
    epoch: group.assignmentEpoch,
    target,
    subscribed: new Set(target.keys()),
    subscriptionChanged: false,
    stepsAfterRevocation: true,
    owned,
    isHeld: (key, partition) => group.isTaskHeld(key, partition, member.processId),
  })
  if (next === 'fence') throw new Error(`member ${member.memberId} was admitted in a state that nobody knows`)
  if (next === member) return member
  step.write(streamsProgressRecord(group.groupId, next))
  if (next.state === 'unrevoked') group.awaitRevocation(next.memberId, step.nowMs, next.rebalanceTimeoutMs)
  else group.hasRevoked(next.memberId)
  return next
}

/** Members are out, and the others get their tasks. */
export function remove(group: StreamsGroup, memberIds: readonly string[], { write }: Pick<StreamsStep, 'write'>): void {
  const { groupId } = group
  for (const memberId of memberIds) {
    write(streamsTombstones.progress(groupId, memberId))
    write(group.targetRecord(memberId, null))
    write(streamsTombstones.member(groupId, memberId))
  }
  const { groupEpoch, metadataHash: hash, validatedTopologyEpoch, configs } = group
  write(epochRecord(groupId, { epoch: groupEpoch + 1, metadataHash: hash, validatedTopologyEpoch, configs }))
}
