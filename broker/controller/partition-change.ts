/**
 * Decides how one partition changes: completes a reassignment that is due, elects a leader, shrinks or sets the in-sync set. Yields the
 * record, or nothing when all stays as it is.
 * Must keep: the leader is in the ISR; the ISR is a subset of the replicas.
 *
 * Without eligible leader replicas the ISR is never empty: the last in-sync replica stays in it when it fails and the partition has no
 * leader, unless an unclean election is allowed.
 *
 * With them (KIP-966) the ISR may become empty, and who left an ISR that is smaller than min.insync.replicas becomes eligible: nothing was
 * committed without it since, so it may lead when nobody is in sync. Whoever stopped uncleanly, and may have lost its page cache, is not
 * eligible any more. When nobody is, the last leader may take over again as an unclean election.
 *
 *   ISR >= min ISR                       ELR := none
 *   ISR < min ISR                        ELR := ELR + former ISR - ISR - who stopped uncleanly
 *   ISR empty, a member of ELR lives     it leads; ISR := it alone
 *   ISR empty, ELR empty                 last known leader := the leader that was; when it lives, it leads, recovering
 *
 * Sources: KIP-500/KIP-631 (leader -1), KIP-704 (leader recovery state), KIP-455 (reassignment), KIP-858 (directories), KIP-966 part 1;
 * Kafka's PartitionChangeBuilder. While ELR is off, a set left behind by another implementation is cleared.
 */
import { sameValue } from './image-builder.ts'
import type { BrokerImage, MetadataImage, PartitionImage, Uuid } from './image.ts'
import {
  directoryLost,
  directoryMigrating,
  directoryUnassigned,
  leaderRecovering,
  noLeader,
  partitionChange,
} from './metadata-record.ts'
import type { PartitionChangeRecord } from './metadata-record.ts'
import { isActive } from './operation.ts'

/** online: any in-sync replica. preferred: the first replica when it is in sync. unclean: any live replica rather than no leader. */
export type Election = 'online' | 'preferred' | 'unclean'

export interface PartitionTarget {
  readonly topicId: Uuid
  readonly partitionId: number
  readonly partition: PartitionImage
  /** Whether the broker may lead at all; its directory is checked besides. */
  readonly isAcceptable?: (brokerId: number) => boolean
  readonly election?: Election
  readonly isr?: readonly number[]
  readonly leaderRecoveryState?: number
  readonly replicas?: readonly number[]
  readonly removingReplicas?: readonly number[]
  readonly addingReplicas?: readonly number[]
  /** Puts the replica of a broker into a directory. */
  readonly directory?: { readonly brokerId: number; readonly id: Uuid }
  /** With eligible leader replicas. */
  readonly elr?: ElrRules | undefined
}

export interface ElrRules {
  /** min.insync.replicas of the topic, at most its replication factor. */
  readonly minIsr: number
  /** This broker stopped uncleanly: it is not eligible any more. */
  readonly uncleanShutdown?: number
}

export function changePartition(image: MetadataImage, target: PartitionTarget): PartitionChangeRecord | undefined {
  const { topicId, partitionId, partition } = target
  const planned = completedReassignment(target)
  const { replicas, removing, adding } = planned
  const elr = eligible(target, planned)
  const elected = elect(image, target, { isr: planned.isr, replicas, elr })
  const isNewLeader = elected.leader !== partition.leader
  const change: { -readonly [K in keyof PartitionChangeRecord]?: PartitionChangeRecord[K] } = {}
  if (isNewLeader) change.leader = elected.leader
  // A replica that is taken away must stop following: the epoch tells everybody.
  else if (!partition.replicas.every(id => replicas.includes(id))) change.leader = partition.leader
  const isUnclean = elected.unclean && isNewLeader
  const fromElr = isNewLeader && elr.includes(elected.leader)
  const isr = isUnclean || fromElr ? [elected.leader] : planned.isr
  if ((isr.length > 0 || target.elr !== undefined) && (isUnclean || !sameValue(isr, partition.isr))) change.isr = isr
  if (isUnclean && partition.leaderRecoveryState !== leaderRecovering) change.leaderRecoveryState = leaderRecovering
  const recovery = target.leaderRecoveryState ?? partition.leaderRecoveryState
  if (recovery !== partition.leaderRecoveryState) change.leaderRecoveryState = recovery
  const elrLeft = isUnclean ? [] : elr.filter(id => !fromElr || id !== elected.leader)
  if (!sameValue(elrLeft, partition.elr)) change.eligibleLeaderReplicas = elrLeft
  const lastKnown = lastKnownElr(target, change.isr ?? undefined, elected.leader)
  if (!sameValue(lastKnown, partition.lastKnownElr)) change.lastKnownElr = lastKnown
  const directories = replicas.map(id => directoryFor(image, target, id))
  if (!sameValue(directories, partition.directories)) change.directories = directories
  if (!sameValue(replicas, partition.replicas)) change.replicas = replicas
  if (!sameValue(removing, partition.removingReplicas)) change.removingReplicas = removing
  if (!sameValue(adding, partition.addingReplicas)) change.addingReplicas = adding
  return Object.keys(change).length === 0 ? undefined : partitionChange(topicId, partitionId, change)
}

/** In ascending order. */
function eligible(
  { partition, elr }: PartitionTarget,
  { isr, replicas }: { isr: readonly number[]; replicas: readonly number[] },
): readonly number[] {
  if (elr === undefined || isr.length >= elr.minIsr) return []
  const candidates = new Set([...partition.elr, ...partition.isr])
  return [...candidates]
    .filter(id => replicas.includes(id) && !isr.includes(id) && id !== elr.uncleanShutdown)
    .sort((first, second) => first - second)
}

/** The leader before there was none; nobody while somebody leads. */
function lastKnownElr(
  { partition, elr }: PartitionTarget,
  newIsr: readonly number[] | undefined,
  leader: number,
): readonly number[] {
  if (elr === undefined) return []
  if (newIsr?.length === 0) return partition.leader === noLeader ? partition.lastKnownElr : [partition.leader]
  return leader === noLeader ? partition.lastKnownElr : []
}

/** The replicas and ISR after the removal of what a reassignment removes, once all that it adds is in sync. */
function completedReassignment(target: PartitionTarget) {
  const { partition } = target
  const isr = target.isr ?? partition.isr
  const replicas = target.replicas ?? partition.replicas
  const removing = target.removingReplicas ?? partition.removingReplicas
  const adding = target.addingReplicas ?? partition.addingReplicas
  const keptIsr = isr.filter(id => !removing.includes(id))
  const keptReplicas = replicas.filter(id => !removing.includes(id))
  const inProgress = removing.length > 0 || adding.length > 0
  const complete = inProgress && keptIsr.length > 0 && keptReplicas.every(id => keptIsr.includes(id))
  return complete
    ? { isr: keptIsr, replicas: keptReplicas, removing: [], adding: [] }
    : { isr, replicas, removing, adding }
}

function elect(
  image: MetadataImage,
  target: PartitionTarget,
  sets: { readonly isr: readonly number[]; readonly replicas: readonly number[]; readonly elr: readonly number[] },
): { leader: number; unclean: boolean } {
  const { partition } = target
  const { isr, replicas, elr } = sets
  const acceptable = (id: number) =>
    (target.isAcceptable ?? (broker => isActive(image, broker)))(id) &&
    isOnline(image, id, directoryFor(image, target, id))
  const clean = (id: number) => (isr.includes(id) || (isr.length === 0 && elr.includes(id))) && acceptable(id)
  const preferred = replicas[0]
  if (target.election === 'preferred' && preferred !== undefined && clean(preferred)) {
    return { leader: preferred, unclean: false }
  }
  if (clean(partition.leader)) return { leader: partition.leader, unclean: false }
  const inSync = replicas.find(clean)
  if (inSync !== undefined) return { leader: inSync, unclean: false }
  const [lastKnown] = partition.lastKnownElr
  const nobodyLeft = target.elr !== undefined && isr.length === 0 && elr.length === 0
  if (nobodyLeft && partition.lastKnownElr.length === 1 && lastKnown !== undefined && acceptable(lastKnown)) {
    return { leader: lastKnown, unclean: true }
  }
  const alive = target.election === 'unclean' ? replicas.find(acceptable) : undefined
  return alive === undefined ? { leader: noLeader, unclean: false } : { leader: alive, unclean: true }
}

/** False when the replica's directory is offline or gone, e.g. because the disk was replaced: what was on it is lost. */
export function hasOnlineDirectory(image: MetadataImage, partition: PartitionImage, brokerId: number): boolean {
  return isOnline(image, brokerId, partition.directories[partition.replicas.indexOf(brokerId)])
}

function isOnline(image: MetadataImage, brokerId: number, directory: Uuid | undefined): boolean {
  if (directory === undefined || directory === directoryUnassigned || directory === directoryMigrating) return true
  if (directory === directoryLost) return false
  return image.brokers.get(brokerId)?.directories.includes(directory) === true
}

function directoryFor(image: MetadataImage, { partition, directory }: PartitionTarget, brokerId: number): Uuid {
  if (directory?.brokerId === brokerId) return directory.id
  return partition.directories[partition.replicas.indexOf(brokerId)] ?? defaultDirectory(image, brokerId)
}

/** Where a new replica goes as far as the controller can know: a broker with several directories chooses itself. */
export function defaultDirectory(image: MetadataImage, brokerId: number): Uuid {
  const directories = image.brokers.get(brokerId)?.directories
  if (directories === undefined) return directoryUnassigned
  if (directories.length === 0) return directoryMigrating
  if (directories.length === 1) return directories[0]!
  const open = directories.filter(id => image.brokers.get(brokerId)?.cordonedDirectories.includes(id) === false)
  return open.length === 1 ? open[0]! : directoryUnassigned
}

/** The broker has no directory that would take a new replica (KIP-1066). */
export function isFullyCordoned({ directories, cordonedDirectories }: BrokerImage): boolean {
  return directories.length > 0 && directories.every(id => cordonedDirectories.includes(id))
}
