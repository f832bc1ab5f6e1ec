/**
 * The reconciliation of one member, a machine (KIP-848): brings what a member has nearer to its target, a step per heartbeat, so that no
 * partition is ever with two members. What has to go is taken back first; what somebody else still has is waited for.
 *
 * | state      | what a heartbeat finds                                              | next       | member epoch  |
 * |------------|---------------------------------------------------------------------|------------|---------------|
 * | stable     | it is in the goal's epoch, and subscribes to all it has             | stable     | stays         |
 * | stable     | it is in the goal's epoch, and has topics that it unsubscribed from | unrevoked  | stays         |
 * | unrevoked  | it may still own what it was told to give up                        | unrevoked  | stays         |
 * | otherwise  | it has, and may own, what the goal does not leave it                | unrevoked  | stays         |
 * | otherwise  | somebody else still has a part of what it is to get                 | unreleased | the goal's    |
 * | otherwise  | all that it is to get is free                                       | stable     | the goal's    |
 * | unknown    | it owns nothing: as 'otherwise'; else it is fenced                  |            |               |
 *
 * "May own": until the member itself says what it owns, and that is not among it. What it gave up before it was told to needs no state of
 * its own.
 *
 * Tasks of streams groups move by the same machine, but in steps (`stepsAfterRevocation`): a member that has given all up and learns of a
 * goal that takes still more from it is meanwhile in the epoch after its own, not yet in the goal's.
 */
import type { Uuid } from '../../../controller/metadata-record.ts'
import { partitionsOf, type Assignment } from './assignment.ts'
import { sameProgress, type EpochAssignment, type MemberState } from './consumer-member.ts'

/** What of a member is reconciled: partitions of consumers, tasks of streams. */
export interface Reconcilable {
  readonly memberEpoch: number
  readonly previousMemberEpoch: number
  readonly state: MemberState
  readonly assigned: EpochAssignment
  /** Told to give up, and not known to have done so. */
  readonly revoking: EpochAssignment
}

export interface Goal {
  readonly epoch: number
  readonly target: Assignment
  /** Existing topics that the member subscribes to: what it does not want any more it loses at once. */
  readonly subscribed: ReadonlySet<Uuid>
  readonly subscriptionChanged: boolean
  readonly stepsAfterRevocation?: boolean
  /** What the member says it owns; undefined: nothing new. */
  readonly owned: Assignment | undefined
  /** Some member has it, or has yet to give it up. */
  isHeld(topicId: Uuid, partition: number): boolean
}

export function isReconciledTo(member: Reconcilable, epoch: number): boolean {
  return member.state === 'stable' && member.memberEpoch === epoch
}

/** The member itself when nothing moves. 'fence': in a state that we do not know (after a downgrade); it must come back with nothing. */
export function reconcile<Member extends Reconcilable>(member: Member, goal: Goal): Member | 'fence' {
  if (member.state === 'unknown' && goal.owned?.size !== 0) return 'fence'
  const isBusy = member.state === 'unrevoked' && mayOwn(member.revoking, goal)
  const rests = isBusy || isReconciledTo(member, goal.epoch)
  if (rests && !goal.subscriptionChanged) return member
  const next = rests ? dropUnsubscribed(member, goal) : approach(member, goal)
  return sameProgress(member, next) ? member : next
}

/** Between two goals: loses the topics that it does not subscribe to any more, gets none. */
function dropUnsubscribed<Member extends Reconcilable>(member: Member, goal: Goal): Member {
  const { kept, dropped } = divide(member.assigned, topicId => goal.subscribed.has(topicId))
  if (dropped.size === 0) return member
  const revoking = joined(member.revoking, dropped)
  if (mayOwn(revoking, goal)) return unrevoked(member, member.memberEpoch, kept, revoking)
  return reached(member, member.memberEpoch, { state: 'stable', assigned: kept })
}

/** Towards the goal, as far as the member itself and the others let it. */
function approach<Member extends Reconcilable>(member: Member, goal: Goal): Member {
  const isMeant = (topicId: Uuid, partition: number): boolean =>
    goal.subscribed.has(topicId) && goal.target.get(topicId)?.has(partition) === true
  const { kept, dropped } = divide(member.assigned, isMeant)
  if (mayOwn(dropped, goal)) {
    const steps = goal.stepsAfterRevocation === true && member.state === 'unrevoked'
    return unrevoked(member, member.memberEpoch + (steps ? 1 : 0), kept, dropped)
  }
  const { free, isWaiting } = obtainable(member, kept, goal)
  const state = isWaiting ? 'unreleased' : 'stable'
  return reached(member, goal.epoch, { state, assigned: joined(kept, free) })
}

/** What of the goal is still missing and can be had now; it may also take back what it was about to give up. */
function obtainable(member: Reconcilable, kept: EpochAssignment, goal: Goal) {
  const free = new Map<Uuid, Map<number, number>>()
  let isWaiting = false
  for (const [topicId, partition] of partitionsOf(goal.target)) {
    if (!goal.subscribed.has(topicId) || has(kept, topicId, partition)) continue
    if (goal.isHeld(topicId, partition) && !has(member.revoking, topicId, partition)) isWaiting = true
    else put(free, topicId, partition, goal.epoch)
  }
  return { free, isWaiting }
}

function unrevoked<Member extends Reconcilable>(
  member: Member,
  memberEpoch: number,
  assigned: EpochAssignment,
  revoking: EpochAssignment,
): Member {
  return { ...member, state: 'unrevoked', memberEpoch, previousMemberEpoch: member.memberEpoch, assigned, revoking }
}

/** Nothing is left to give up. */
function reached<Member extends Reconcilable>(
  member: Member,
  memberEpoch: number,
  { state, assigned }: Pick<Reconcilable, 'state' | 'assigned'>,
): Member {
  return { ...member, state, memberEpoch, previousMemberEpoch: member.memberEpoch, assigned, revoking: nothing }
}

// ------------------------------------------------------------------------------------------- partitions with their epochs

const nothing: EpochAssignment = new Map<Uuid, ReadonlyMap<number, number>>()

const has = (some: EpochAssignment, topicId: Uuid, partition: number): boolean =>
  some.get(topicId)?.has(partition) === true

function mayOwn(some: EpochAssignment, { owned }: Goal): boolean {
  if (some.size === 0) return false
  if (owned === undefined) return true
  for (const [topicId, partition] of partitionsOf(owned)) if (has(some, topicId, partition)) return true
  return false
}

function put(into: Map<Uuid, Map<number, number>>, topicId: Uuid, partition: number, epoch: number): void {
  const partitions = into.get(topicId) ?? new Map<number, number>()
  into.set(topicId, partitions.set(partition, epoch))
}

function divide(
  all: EpochAssignment,
  isKept: (topicId: Uuid, partition: number) => boolean,
): { readonly kept: EpochAssignment; readonly dropped: EpochAssignment } {
  const kept = new Map<Uuid, Map<number, number>>()
  const dropped = new Map<Uuid, Map<number, number>>()
  for (const [topicId, partitions] of all)
    for (const [partition, epoch] of partitions)
      put(isKept(topicId, partition) ? kept : dropped, topicId, partition, epoch)
  return { kept, dropped }
}

function joined(left: EpochAssignment, right: EpochAssignment): EpochAssignment {
  if (right.size === 0) return left
  const all = new Map(left)
  for (const [topicId, partitions] of right) all.set(topicId, new Map([...(all.get(topicId) ?? []), ...partitions]))
  return all
}
