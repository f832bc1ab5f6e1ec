/**
 * How a member comes nearer to its target, one heartbeat at a time: it gives up first what the target does not have, goes on to the epoch of
 * the target once it did, and takes what nobody holds any more. So no partition has two owners.
 *
 * stable     → unrevoked: has something to give up
 *            → unreleased: all given up, but others still hold what it is to get
 * unrevoked  → stable, unreleased: reports that it owns nothing of what it was to give up
 * unreleased → stable: the others let go
 *
 * In groups whose members take steps (`stepsAfterRevocation`), one that has given all up and learns of a target that takes still more from
 * it is in the epoch after its own meanwhile, not yet in that of the target.
 * Source: KIP-848 "Member state machine"; Kafka 4.3's CurrentAssignmentBuilder.
 */
import type { Uuid } from '../../../controller/metadata-record.ts'
import type { Assignment } from './assignment.ts'
import type { EpochAssignment, MemberState } from './consumer-member.ts'

/** What of a member is reconciled: partitions of consumers, tasks of streams. */
export interface Reconcilable {
  readonly memberEpoch: number
  readonly previousMemberEpoch: number
  readonly state: MemberState
  readonly assigned: EpochAssignment
  /** Told to give up, and not known to have done so. */
  readonly revoking: EpochAssignment
}

export function isReconciledTo(member: Reconcilable, epoch: number): boolean {
  return member.state === 'stable' && member.memberEpoch === epoch
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

/** 'fence': in a state that we do not know (after a downgrade); it must come back with nothing. */
export function reconcile<Member extends Reconcilable>(member: Member, goal: Goal): Member | 'fence' {
  if (!goal.subscriptionChanged && isReconciledTo(member, goal.epoch)) return member
  switch (member.state) {
    case 'stable':
      if (member.memberEpoch !== goal.epoch) return advance(member, goal)
      return goal.subscriptionChanged ? dropUnsubscribed(member, goal) : member
    case 'unrevoked':
      if (!stillOwns(member.revoking, goal))
        return advance(member, goal, member.memberEpoch + (goal.stepsAfterRevocation === true ? 1 : 0))
      return goal.subscriptionChanged ? dropUnsubscribed(member, goal) : member
    case 'unreleased':
      return advance(member, goal)
    case 'unknown':
      return goal.owned?.size === 0 ? advance(member, goal) : 'fence'
  }
}

function stillOwns(revoking: EpochAssignment, { owned }: Goal): boolean {
  if (owned === undefined) return true
  for (const [topicId, partitions] of owned)
    for (const partition of partitions) if (revoking.get(topicId)?.has(partition) === true) return true
  return false
}

/** Between two targets: topics that the member does not subscribe to any more are taken away, nothing is added. */
function dropUnsubscribed<Member extends Reconcilable>(member: Member, goal: Goal): Member {
  const dropped = [...member.assigned].filter(([topicId]) => !goal.subscribed.has(topicId))
  if (dropped.length === 0) return member
  const assigned = new Map([...member.assigned].filter(([topicId]) => goal.subscribed.has(topicId)))
  const revoking = new Map(member.revoking)
  for (const [topicId, partitions] of dropped)
    revoking.set(topicId, new Map([...(revoking.get(topicId) ?? []), ...partitions]))
  const { memberEpoch: epoch } = member
  if (stillOwns(revoking, goal)) return moved(member, epoch, { state: 'unrevoked', assigned, revoking })
  return moved(member, epoch, { state: member.state, assigned, revoking: member.revoking })
}

/** @param epoch  in which the member is while it has something to give up */
function advance<Member extends Reconcilable>(member: Member, goal: Goal, epoch = member.memberEpoch): Member {
  const assigned = new Map<Uuid, Map<number, number>>()
  const revoking = new Map<Uuid, Map<number, number>>()
  const coming: { readonly topicId: Uuid; readonly partition: number }[] = []
  let unreleased = false
  for (const topicId of new Set([...goal.target.keys(), ...member.assigned.keys()])) {
    const target = goal.subscribed.has(topicId) ? goal.target.get(topicId) : undefined
    for (const [partition, since] of member.assigned.get(topicId) ?? [])
      add(target?.has(partition) === true ? assigned : revoking, topicId, partition, since)
    for (const partition of target ?? []) {
      if (assigned.get(topicId)?.has(partition) === true) continue
      const isOwn = member.revoking.get(topicId)?.has(partition) === true
      if (!isOwn && goal.isHeld(topicId, partition)) unreleased = true
      else coming.push({ topicId, partition })
    }
  }
  if (revoking.size > 0 && stillOwns(revoking, goal))
    return moved(member, epoch, { state: 'unrevoked', assigned, revoking })
  for (const { topicId, partition } of coming) add(assigned, topicId, partition, goal.epoch)
  return moved(member, goal.epoch, { state: unreleased ? 'unreleased' : 'stable', assigned, revoking: new Map() })
}

function moved<Member extends Reconcilable>(
  member: Member,
  memberEpoch: number,
  progress: { readonly state: MemberState; readonly assigned: EpochAssignment; readonly revoking: EpochAssignment },
): Member {
  return { ...member, ...progress, memberEpoch, previousMemberEpoch: member.memberEpoch }
}

function add(target: Map<Uuid, Map<number, number>>, topicId: Uuid, partition: number, epoch: number): void {
  const partitions = target.get(topicId) ?? new Map<number, number>()
  target.set(topicId, partitions.set(partition, epoch))
}
