/**
 * AlterPartition v2-3 as an operation: a leader proposes a new in-sync set. Nothing may join it that could lack committed records: a
 * replica counts only in the incarnation the leader saw fetching (its broker epoch, KIP-903), and only while it is alive.
 * Refusals, per partition:
 *   UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION  gone
 *   NOT_CONTROLLER            the leader knows more than we do: somebody else leads the quorum
 *   FENCED_LEADER_EPOCH       not the leader any more
 *   INVALID_UPDATE_VERSION    the proposal was made on an older state
 *   INELIGIBLE_REPLICA        fenced, shutting down, not registered, or registered anew since
 *   INVALID_REQUEST           not a possible ISR
 *   NEW_LEADER_ELECTED        accepted, and it completed a reassignment that moved the leadership
 * Sources: KIP-497, KIP-704 (leader recovery state), KIP-841 (fenced replicas), KIP-903 (broker epochs).
 */
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import { mergeChange } from './mutable-image.ts'
import type { MetadataImage, PartitionImage, TopicImage, Uuid } from './image.ts'
import { electionOf, elrRules } from './leader-updates.ts'
import { leaderRecovered, leaderRecovering, noLeaderChange } from './metadata-record.ts'
import type { MetadataRecord } from './metadata-record.ts'
import { checkBrokerEpoch, isRefusal } from './operation.ts'
import type { ControllerState, Operation } from './operation.ts'
import { changePartition } from './partition-change.ts'

export interface AlterPartitionInput {
  readonly brokerId: number
  readonly brokerEpoch: number
  readonly topics: readonly {
    readonly topicId: Uuid
    readonly partitions: readonly AlterPartitionItem[]
  }[]
}

export interface AlterPartitionItem {
  readonly partitionIndex: number
  readonly leaderEpoch: number
  /** v3: broker epoch -1 skips the check of the incarnation. */
  readonly newIsrWithEpochs: readonly { readonly brokerId: number; readonly brokerEpoch: number }[]
  readonly leaderRecoveryState: number
  readonly partitionEpoch: number
}

export interface AlterPartitionReply {
  readonly errorCode: number
  readonly topics: readonly {
    readonly topicId: Uuid
    readonly partitions: readonly AlterPartitionResult[]
  }[]
}

export interface AlterPartitionResult {
  readonly partitionIndex: number
  readonly errorCode: number
  readonly leaderId?: number
  readonly leaderEpoch?: number
  readonly isr?: readonly number[]
  readonly leaderRecoveryState?: number
  readonly partitionEpoch?: number
}

export const alterPartition: Operation<AlterPartitionInput, AlterPartitionReply> = (state, request) => {
  const sender = checkBrokerEpoch(state.image, request.brokerId, request.brokerEpoch)
  if (isRefusal(sender)) return sender
  const records: MetadataRecord[] = []
  const topics = request.topics.map(({ topicId, partitions }) => {
    const topic = state.image.topicsById.get(topicId)
    return { topicId, partitions: partitions.map(item => alterOne(state, request.brokerId, topic, item, records)) }
  })
  return { records, reply: { errorCode: 0, topics }, divisible: true }
}

function alterOne(
  state: ControllerState,
  brokerId: number,
  topic: TopicImage | undefined,
  item: AlterPartitionItem,
  records: MetadataRecord[],
): AlterPartitionResult {
  const partitionIndex = item.partitionIndex
  const failed = (error: ErrorName) => ({ partitionIndex, errorCode: errorCode(error) })
  if (topic === undefined) return failed('UNKNOWN_TOPIC_ID')
  const partition = topic.partitions.get(partitionIndex)
  if (partition === undefined) return failed('UNKNOWN_TOPIC_OR_PARTITION')
  const error = refusalOf(state.image, brokerId, partition, item)
  if (error !== undefined) return failed(error)
  const record = changePartition(state.image, {
    topicId: topic.id,
    partitionId: partitionIndex,
    partition,
    election: electionOf(state, topic.name),
    elr: elrRules(state, topic),
    isr: item.newIsrWithEpochs.map(replica => replica.brokerId),
    leaderRecoveryState: item.leaderRecoveryState,
  })
  let after = partition
  if (record !== undefined) {
    records.push(record)
    after = mergeChange(partition, record)
    if (record.leader !== noLeaderChange && record.leader !== brokerId) return failed('NEW_LEADER_ELECTED')
  }
  return {
    partitionIndex,
    errorCode: 0,
    leaderId: after.leader,
    leaderEpoch: after.leaderEpoch,
    isr: after.isr,
    leaderRecoveryState: after.leaderRecoveryState,
    partitionEpoch: after.partitionEpoch,
  }
}

function refusalOf(
  image: MetadataImage,
  brokerId: number,
  partition: PartitionImage,
  item: AlterPartitionItem,
): ErrorName | undefined {
  if (item.leaderEpoch > partition.leaderEpoch || item.partitionEpoch > partition.partitionEpoch)
    return 'NOT_CONTROLLER'
  if (item.leaderEpoch < partition.leaderEpoch) return 'FENCED_LEADER_EPOCH'
  if (brokerId !== partition.leader) return 'INVALID_REQUEST'
  if (item.partitionEpoch < partition.partitionEpoch) return 'INVALID_UPDATE_VERSION'
  const isr = item.newIsrWithEpochs.map(replica => replica.brokerId)
  if (isr.length === 0 || new Set(isr).size !== isr.length) return 'INVALID_REQUEST'
  if (!isr.every(id => partition.replicas.includes(id)) || !isr.includes(partition.leader)) return 'INVALID_REQUEST'
  const recovering = item.leaderRecoveryState === leaderRecovering
  if (recovering && isr.length > 1) return 'INVALID_REQUEST'
  if (recovering && partition.leaderRecoveryState === leaderRecovered) return 'INVALID_REQUEST'
  const eligible = item.newIsrWithEpochs.every(({ brokerId: id, brokerEpoch }) => {
    const broker = image.brokers.get(id)
    if (broker === undefined || broker.fenced || broker.inControlledShutdown) return false
    return brokerEpoch === -1 || brokerEpoch === broker.epoch
  })
  return eligible ? undefined : 'INELIGIBLE_REPLICA'
}
