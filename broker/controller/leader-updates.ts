/**
 * Leader and ISR changes that follow when brokers come and go: one PartitionChange for each partition concerned.
 * Source: KIP-631 "Controller"; Kafka's ReplicationControlManager.
 */
import type { ControllerState } from './operation.ts'
import { isActive } from './operation.ts'
import { changePartition } from './partition-change.ts'
import type { ElrRules, Election } from './partition-change.ts'
import { topicSetting } from './effective-config.ts'
import { brokerRegistrationChange, noLeader } from './metadata-record.ts'
import type { MetadataRecord, Uuid } from './metadata-record.ts'
import type { MetadataImage, PartitionImage, TopicImage } from './image.ts'

export interface PartitionPlace {
  readonly topic: TopicImage
  readonly partitionId: number
  readonly partition: PartitionImage
}

export function* allPartitions(image: MetadataImage): Generator<PartitionPlace> {
  for (const topic of image.topicsById.values()) {
    for (const [partitionId, partition] of topic.partitions) yield { topic, partitionId, partition }
  }
}

export function hasLeaderships(image: MetadataImage, brokerId: number): boolean {
  for (const { partition } of allPartitions(image)) if (partition.leader === brokerId) return true
  return false
}

/** 'unclean' where the topic allows it. */
export function electionOf(state: Pick<ControllerState, 'image' | 'config' | 'nodeId'>, topic: string): Election {
  return topicSetting(state, topic, 'unclean.leader.election.enable') ? 'unclean' : 'online'
}

/** Undefined while eligible leader replicas are off. */
export function elrRules(
  state: Pick<ControllerState, 'image' | 'config' | 'nodeId'>,
  topic: TopicImage,
): ElrRules | undefined {
  if (state.image.feature('eligible.leader.replicas.version') < 1) return undefined
  const replicas = topic.partitions.get(0)?.replicas.length ?? 1
  return { minIsr: Math.min(topicSetting(state, topic.name, 'min.insync.replicas'), replicas) }
}

interface Change {
  /** Leaves ISRs and leaderships. */
  readonly remove?: number
  /** May lead although the state still has it as fenced. */
  readonly add?: number
  /** Leaves ISRs and leaderships, and may have lost records that others do not have. */
  readonly uncleanShutdown?: number
}

function* leaderAndIsrUpdates(
  state: ControllerState,
  { remove, add, uncleanShutdown }: Change,
  concerned: (partition: PartitionImage) => boolean,
): Generator<MetadataRecord> {
  const leaves = (id: number) => id === remove || id === uncleanShutdown
  const isAcceptable = (id: number) => !leaves(id) && (id === add || isActive(state.image, id))
  for (const { topic, partitionId, partition } of allPartitions(state.image)) {
    if (!concerned(partition)) continue
    const rules = elrRules(state, topic)
    const record = changePartition(state.image, {
      topicId: topic.id,
      partitionId,
      partition,
      isAcceptable,
      election: electionOf(state, topic.name),
      isr: partition.isr.filter(id => !leaves(id)),
      elr: rules && uncleanShutdown !== undefined ? { ...rules, uncleanShutdown } : rules,
    })
    if (record !== undefined) yield record
  }
}

const hasInIsr = (brokerId: number) => (partition: PartitionImage) =>
  partition.isr.includes(brokerId) || partition.leader === brokerId

/**
 * Out of all ISRs and leaderships, because it is registered anew: what it held counts as lost unless it stopped cleanly (KIP-966).
 * Without eligible leader replicas nobody would act on the difference.
 */
export function shutDownBroker(state: ControllerState, brokerId: number, cleanly: boolean): MetadataRecord[] {
  const withElr = state.image.feature('eligible.leader.replicas.version') >= 1
  if (cleanly || !withElr) return [...leaderAndIsrUpdates(state, { remove: brokerId }, hasInIsr(brokerId))]
  const concerned = (partition: PartitionImage) => hasInIsr(brokerId)(partition) || partition.elr.includes(brokerId)
  return [...leaderAndIsrUpdates(state, { uncleanShutdown: brokerId }, concerned)]
}

/** Out of all ISRs and leaderships, then fenced. */
export function fenceBroker(state: ControllerState, brokerId: number): MetadataRecord[] {
  const broker = state.image.brokers.get(brokerId)
  if (broker === undefined) return []
  return [
    ...leaderAndIsrUpdates(state, { remove: brokerId }, hasInIsr(brokerId)),
    brokerRegistrationChange(brokerId, broker.epoch, { fenced: 1 }),
  ]
}

/** Unfenced, and leader of the partitions that have none and for which it is in sync. */
export function unfenceBroker(state: ControllerState, brokerId: number, brokerEpoch: number): MetadataRecord[] {
  return [
    brokerRegistrationChange(brokerId, brokerEpoch, { fenced: -1 }),
    ...leaderAndIsrUpdates(state, { add: brokerId }, partition => partition.leader === noLeader),
  ]
}

export function beginControlledShutdown(state: ControllerState, brokerId: number): MetadataRecord[] {
  const broker = state.image.brokers.get(brokerId)
  if (broker === undefined) return []
  return [
    ...(broker.inControlledShutdown
      ? []
      : [brokerRegistrationChange(brokerId, broker.epoch, { inControlledShutdown: 1 })]),
    ...leaderAndIsrUpdates(state, { remove: brokerId }, hasInIsr(brokerId)),
  ]
}

/** Out of all ISRs and leaderships, then forgotten. */
export function removeBroker(state: ControllerState, brokerId: number): MetadataRecord[] {
  const broker = state.image.brokers.get(brokerId)
  if (broker === undefined) return []
  return [
    ...leaderAndIsrUpdates(state, { remove: brokerId }, hasInIsr(brokerId)),
    { type: 'UnregisterBroker', brokerId, brokerEpoch: broker.epoch },
  ]
}

/** Replicas in these directories of the broker are lost, the others live on (KIP-858). */
export function directoriesOffline(
  state: ControllerState,
  brokerId: number,
  offline: readonly Uuid[],
): MetadataRecord[] {
  const broker = state.image.brokers.get(brokerId)
  const newlyOffline = broker?.directories.filter(id => offline.includes(id)) ?? []
  if (broker === undefined || newlyOffline.length === 0) return []
  const inOffline = (partition: PartitionImage) => {
    const directory = partition.directories[partition.replicas.indexOf(brokerId)]
    return directory !== undefined && newlyOffline.includes(directory)
  }
  return [
    ...leaderAndIsrUpdates(
      state,
      { remove: brokerId },
      partition => inOffline(partition) && hasInIsr(brokerId)(partition),
    ),
    brokerRegistrationChange(brokerId, broker.epoch, {
      logDirs: broker.directories.filter(id => !newlyOffline.includes(id)),
    }),
  ]
}
