/**
 * DeleteTopics, CreatePartitions, ElectLeaders, AssignReplicasToDirs and preferred-leader balancing as operations.
 * Sources: KIP-4, KIP-195, KIP-183 and KIP-460 (elections), KIP-858 (directories), KIP-599 (quota on partitions).
 */
import { errorCode } from '../protocol/errors.ts'
import { assignmentError, newPartition, noneAlive, place } from './create-topics.ts'
import type { PartitionImage, TopicImage, Uuid } from './image.ts'
import { applyRecords } from './image-builder.ts'
import { partitionRecord } from './image-to-records.ts'
import { allPartitions, electionOf, elrRules } from './leader-updates.ts'
import { noLeader, zeroUuid } from './metadata-record.ts'
import type { MetadataRecord } from './metadata-record.ts'
import {
  checkBrokerEpoch,
  errorFields,
  isRefusal,
  itemError,
  maxRecordsPerUserOperation,
  refuse,
  takePartitions,
} from './operation.ts'
import type { ControllerState, ItemError, Operation, PartitionQuota } from './operation.ts'
import { changePartition, hasOnlineDirectory } from './partition-change.ts'

// ------------------------------------------------------------------------------------------------------ delete topics

export interface DeleteTopicsInput {
  /** By name or, with name null, by id. */
  readonly topics: readonly { readonly name: string | null; readonly topicId: Uuid }[]
  readonly quota?: PartitionQuota
}

export interface DeleteTopicsReply {
  readonly responses: readonly {
    readonly name: string | null
    readonly topicId: Uuid
    readonly errorCode: number
    readonly errorMessage: string | null
  }[]
}

export const deleteTopics: Operation<DeleteTopicsInput, DeleteTopicsReply> = (state, request) => {
  const { image } = state
  if (!state.config['delete.topic.enable']) return refuse('TOPIC_DELETION_DISABLED', 'Topic deletion is disabled.')
  const removed = new Set<Uuid>()
  const records: MetadataRecord[] = []
  const responses = request.topics.map(({ name, topicId }) => {
    const topic = name === null ? image.topicsById.get(topicId) : image.topicsByName.get(name)
    const error =
      deletionError({ name, topicId }, topic, removed) ?? takePartitions(request.quota, topic?.partitions.size ?? 0)
    if (error === undefined && topic !== undefined) {
      removed.add(topic.id)
      records.push({ type: 'RemoveTopic', topicId: topic.id })
    }
    const known = error === undefined ? topic : undefined
    return { name: known?.name ?? name, topicId: known?.id ?? topicId, ...errorFields(error) }
  })
  return { records, reply: { responses } }
}

function deletionError(
  { name, topicId }: { name: string | null; topicId: Uuid },
  topic: TopicImage | undefined,
  removed: ReadonlySet<Uuid>,
): ItemError | undefined {
  if (name !== null && topicId !== zeroUuid) {
    return itemError('INVALID_REQUEST', 'You may not specify both topic name and topic id.')
  }
  if (name === null && topicId === zeroUuid) {
    return itemError('INVALID_REQUEST', 'Neither topic name nor id were specified.')
  }
  if (topic === undefined) {
    return name === null
      ? itemError('UNKNOWN_TOPIC_ID', 'This server does not host this topic ID.')
      : itemError('UNKNOWN_TOPIC_OR_PARTITION', 'This server does not host this topic-partition.')
  }
  return removed.has(topic.id) ? itemError('INVALID_REQUEST', 'The topic is named more than once.') : undefined
}

// -------------------------------------------------------------------------------------------------- create partitions

export interface CreatePartitionsInput {
  readonly topics: readonly CreatePartitionsTopic[]
  readonly validateOnly: boolean
  readonly quota?: PartitionQuota
}

interface CreatePartitionsTopic {
  readonly name: string
  /** Partitions that the topic shall have. */
  readonly count: number
  readonly assignments: readonly { readonly brokerIds: readonly number[] }[] | null
}

export interface CreatePartitionsReply {
  readonly results: readonly {
    readonly name: string
    readonly errorCode: number
    readonly errorMessage: string | null
  }[]
}

export const createPartitions: Operation<CreatePartitionsInput, CreatePartitionsReply> = (state, request) => {
  const records: MetadataRecord[] = []
  const names = request.topics.map(topic => topic.name)
  const results = [...new Set(names)].map(name => {
    const topic = request.topics.find(item => item.name === name)
    const twice = names.indexOf(name) !== names.lastIndexOf(name)
    const added =
      twice || topic === undefined
        ? itemError('INVALID_REQUEST', 'Duplicate topic name.')
        : addPartitions(state, topic, request.quota)
    if ('error' in added) return { name, ...errorFields(added) }
    records.push(...added)
    return { name, ...errorFields(undefined) }
  })
  if (records.length > maxRecordsPerUserOperation) {
    return refuse('POLICY_VIOLATION', 'Excessively large number of partitions per request.')
  }
  return { records: request.validateOnly ? [] : records, reply: { results } }
}

function addPartitions(
  state: ControllerState,
  wanted: CreatePartitionsTopic,
  quota: PartitionQuota | undefined,
): MetadataRecord[] | ItemError {
  const topic = state.image.topicsByName.get(wanted.name)
  const first = topic?.partitions.get(0)
  if (topic === undefined || first === undefined) {
    return itemError('UNKNOWN_TOPIC_OR_PARTITION', 'This server does not host this topic-partition.')
  }
  const existing = topic.partitions.size
  if (wanted.count === existing) return itemError('INVALID_PARTITIONS', `Topic already has ${existing} partition(s).`)
  if (wanted.count < existing) {
    return itemError(
      'INVALID_PARTITIONS',
      `The topic ${wanted.name} currently has ${existing} partition(s); ${wanted.count} would not be an increase.`,
    )
  }
  const additional = wanted.count - existing
  const replicationFactor = first.replicas.length
  const partitions =
    wanted.assignments === null
      ? place(state, { partitions: additional, replicationFactor }, 'existing topic')
      : assignedPartitions(state, wanted.assignments, { additional, replicationFactor, existing })
  if ('error' in partitions) return partitions
  const exceeded = takePartitions(quota, additional)
  if (exceeded !== undefined) return exceeded
  return partitions.map((partition, index) => partitionRecord(topic.id, existing + index, partition))
}

function assignedPartitions(
  state: ControllerState,
  assignments: readonly { readonly brokerIds: readonly number[] }[],
  wanted: { additional: number; replicationFactor: number; existing: number },
): PartitionImage[] | ItemError {
  if (assignments.length !== wanted.additional) {
    return itemError(
      'INVALID_REPLICA_ASSIGNMENT',
      `Attempted to add ${wanted.additional} additional partition(s), but only ${assignments.length} assignment(s) were specified.`,
    )
  }
  const partitions: PartitionImage[] = []
  for (const [index, { brokerIds }] of assignments.entries()) {
    const invalid = assignmentError(state, brokerIds, wanted.replicationFactor)
    if (invalid !== undefined) return invalid
    const partition = newPartition(state, brokerIds)
    if (partition === undefined) return noneAlive(wanted.existing + index)
    partitions.push(partition)
  }
  return partitions
}

// ---------------------------------------------------------------------------------------------------------- elections

export interface ElectLeadersInput {
  /** 0 preferred, 1 unclean. */
  readonly electionType: number
  /** Null: all partitions. */
  readonly topicPartitions: readonly { readonly topic: string; readonly partitions: readonly number[] }[] | null
}

export interface ElectLeadersReply {
  readonly errorCode: number
  readonly replicaElectionResults: readonly {
    readonly topic: string
    readonly partitionResult: readonly {
      readonly partitionId: number
      readonly errorCode: number
      readonly errorMessage: string | null
    }[]
  }[]
}

export const electLeaders: Operation<ElectLeadersInput, ElectLeadersReply> = (state, request) => {
  const { image } = state
  if (request.electionType !== 0 && request.electionType !== 1) {
    return refuse('INVALID_REQUEST', `Unknown election type ${request.electionType}`)
  }
  const election = request.electionType === 0 ? 'preferred' : 'unclean'
  const everything = request.topicPartitions === null
  const wanted =
    request.topicPartitions ??
    [...image.topicsByName.values()].map(({ name, partitions }) => ({
      topic: name,
      partitions: [...partitions.keys()],
    }))
  const records: MetadataRecord[] = []
  const replicaElectionResults = wanted.map(({ topic, partitions }) => ({
    topic,
    partitionResult: partitions
      .map(partitionId => ({ partitionId, error: electOne(state, { topic, partitionId, election }, records) }))
      // Of all partitions only those are reported that an election was tried for.
      .filter(({ error }) => !everything || error?.error !== 'ELECTION_NOT_NEEDED')
      .map(({ partitionId, error }) => ({ partitionId, ...errorFields(error) })),
  }))
  return { records, reply: { errorCode: 0, replicaElectionResults }, divisible: true }
}

function electOne(
  state: ControllerState,
  { topic, partitionId, election }: { topic: string; partitionId: number; election: 'preferred' | 'unclean' },
  records: MetadataRecord[],
): ItemError | undefined {
  const { image } = state
  const topicImage = image.topicsByName.get(topic)
  if (topicImage === undefined) return itemError('UNKNOWN_TOPIC_OR_PARTITION', `No such topic as ${topic}`)
  const partition = topicImage.partitions.get(partitionId)
  if (partition === undefined) {
    return itemError('UNKNOWN_TOPIC_OR_PARTITION', `No such partition as ${topic}-${partitionId}`)
  }
  const needed = election === 'preferred' ? partition.leader !== partition.replicas[0] : partition.leader === noLeader
  if (!needed) return itemError('ELECTION_NOT_NEEDED', 'Leader election not needed for topic partition.')
  const elr = elrRules(state, topicImage)
  const record = changePartition(image, { topicId: topicImage.id, partitionId, partition, election, elr })
  if (record === undefined) {
    return election === 'preferred'
      ? itemError('PREFERRED_LEADER_NOT_AVAILABLE', 'The preferred leader was not available.')
      : itemError('ELIGIBLE_LEADERS_NOT_AVAILABLE', 'Eligible topic partition leaders are not available.')
  }
  records.push(record)
  return undefined
}

/** Gives up to so many partitions back to their preferred leaders at a time. */
export const maxElectionsPerBalance = 1_000

/** `more`: call again at once. */
export const balanceLeaders: Operation<undefined, { readonly more: boolean }> = state => {
  const { image } = state
  const records: MetadataRecord[] = []
  for (const { topic, partitionId, partition } of allPartitions(image)) {
    if (records.length >= maxElectionsPerBalance) return { records, reply: { more: true }, divisible: true }
    if (partition.leader === partition.replicas[0]) continue
    const elr = elrRules(state, topic)
    const record = changePartition(image, { topicId: topic.id, partitionId, partition, election: 'preferred', elr })
    if (record !== undefined) records.push(record)
  }
  return { records, reply: { more: false }, divisible: true }
}

/** Leaders for leaderless partitions of topics that allow unclean elections, e.g. after the setting was changed. */
export const electUncleanLeaders: Operation<undefined, object> = state => {
  const records: MetadataRecord[] = []
  for (const { topic, partitionId, partition } of allPartitions(state.image)) {
    if (partition.leader !== noLeader || electionOf(state, topic.name) !== 'unclean') continue
    const target = { topicId: topic.id, partitionId, partition, elr: elrRules(state, topic) }
    const record = changePartition(state.image, { ...target, election: 'unclean' })
    if (record !== undefined) records.push(record)
  }
  return { records, reply: {}, divisible: true }
}

// --------------------------------------------------------------------------------------------------------- directories

export interface AssignDirectoriesInput {
  readonly brokerId: number
  readonly brokerEpoch: number
  readonly directories: readonly {
    readonly id: Uuid
    readonly topics: readonly {
      readonly topicId: Uuid
      readonly partitions: readonly { readonly partitionIndex: number }[]
    }[]
  }[]
}

export interface AssignDirectoriesReply {
  readonly errorCode: number
  readonly directories: readonly {
    readonly id: Uuid
    readonly topics: readonly {
      readonly topicId: Uuid
      readonly partitions: readonly { readonly partitionIndex: number; readonly errorCode: number }[]
    }[]
  }[]
}

export const assignDirectories: Operation<AssignDirectoriesInput, AssignDirectoriesReply> = (state, request) => {
  const sender = checkBrokerEpoch(state.image, request.brokerId, request.brokerEpoch)
  if (isRefusal(sender)) return sender
  const records: MetadataRecord[] = []
  const directories = request.directories.map(({ id, topics }) => ({
    id,
    topics: topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: errorCode(
          assignOne(state, { brokerId: sender.id, directory: id, topicId, partitionIndex }, records),
        ),
      })),
    })),
  }))
  return { records, reply: { errorCode: 0, directories }, divisible: true }
}

function assignOne(
  state: ControllerState,
  replica: { brokerId: number; directory: Uuid; topicId: Uuid; partitionIndex: number },
  records: MetadataRecord[],
) {
  const { brokerId, directory, topicId, partitionIndex } = replica
  const topic = state.image.topicsById.get(topicId)
  if (topic === undefined) return 'UNKNOWN_TOPIC_ID'
  const partition = topic.partitions.get(partitionIndex)
  if (partition === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION'
  if (!partition.replicas.includes(brokerId)) return 'NOT_LEADER_OR_FOLLOWER'
  const target = { topicId, partitionId: partitionIndex, partition, elr: elrRules(state, topic) }
  if (lastCopyIsLost(state, topic.name, partition, brokerId)) return 'NONE'
  const moved = changePartition(state.image, { ...target, directory: { brokerId, id: directory } })
  if (moved === undefined) return 'NONE'
  records.push(moved)
  const online = state.image.brokers.get(brokerId)?.directories.includes(directory) === true
  if (online) return 'NONE'
  // The broker says that the replica is in a directory that failed: it neither leads nor is in sync any more.
  const { image } = applyRecords(state.image, [moved], { offset: state.image.offset, epoch: state.image.epoch })
  const after = image.topicsById.get(topicId)?.partitions.get(partitionIndex)
  const left =
    after === undefined
      ? undefined
      : changePartition(image, {
          ...target,
          partition: after,
          election: electionOf(state, topic.name),
          isr: after.isr.filter(id => id !== brokerId),
        })
  if (left !== undefined) records.push(left)
  return 'NONE'
}

/**
 * The only in-sync replica was on a disk that was replaced, and the broker offers an empty one in its place. To take it would make an empty
 * log the leader and have all others truncate to it. The partition stays without a leader until the disk comes back or an operator (or the
 * topic's setting) allows an unclean election, which then finds what the other replicas still hold.
 */
function lastCopyIsLost(state: ControllerState, topic: string, partition: PartitionImage, brokerId: number): boolean {
  return (
    partition.leader === noLeader &&
    [...partition.isr, ...partition.lastKnownElr].includes(brokerId) &&
    partition.replicas.length > 1 &&
    electionOf(state, topic) !== 'unclean' &&
    !hasOnlineDirectory(state.image, partition, brokerId)
  )
}
