/**
 * AlterPartitionReassignments v0-1 and ListPartitionReassignments as operations: partitions get other replicas while they serve.
 *
 *   none      -> under way  the new replicas join, the old ones stay: replicas = target + removing, each marked
 *   none      -> none       the target is in sync already (another order, fewer replicas): done at once
 *   under way -> done       all of the target is in sync (partition-change.ts, on any later change): what is removed goes
 *   under way -> under way  another target: compared with all replicas there are now
 *   under way -> cancelled  replicas null: what is added goes again, what was to be removed stays
 *
 * Must keep: nothing leaves the replicas before the whole target is in sync. A cancellation that would leave nothing in sync is an unclean
 * election, and refused where the topic forbids those.
 * Refusals, per partition: UNKNOWN_TOPIC_OR_PARTITION, NO_REASSIGNMENT_IN_PROGRESS, INVALID_REPLICA_ASSIGNMENT, INVALID_REPLICATION_FACTOR.
 * Sources: KIP-455, KIP-860 (replication factor), KIP-858 (directories); Kafka's PartitionReassignmentReplicas and ...Revert.
 */
import { assignmentError } from './create-topics.ts'
import type { PartitionImage, TopicImage } from './image.ts'
import { electionOf, elrRules } from './leader-updates.ts'
import type { MetadataRecord, PartitionChangeRecord } from './metadata-record.ts'
import { errorFields, itemError, maxRecordsPerUserOperation, refuse } from './operation.ts'
import type { ControllerState, ItemError, Operation } from './operation.ts'
import { changePartition } from './partition-change.ts'

export interface ReassignPartitionsInput {
  readonly allowReplicationFactorChange: boolean
  readonly topics: readonly {
    readonly name: string
    readonly partitions: readonly {
      readonly partitionIndex: number
      /** Null: cancel. */
      readonly replicas: readonly number[] | null
    }[]
  }[]
}

export interface ReassignPartitionsReply {
  readonly allowReplicationFactorChange: boolean
  readonly responses: readonly {
    readonly name: string
    readonly partitions: readonly {
      readonly partitionIndex: number
      readonly errorCode: number
      readonly errorMessage: string | null
    }[]
  }[]
}

export const reassignPartitions: Operation<ReassignPartitionsInput, ReassignPartitionsReply> = (state, request) => {
  const { allowReplicationFactorChange } = request
  const records: MetadataRecord[] = []
  const responses = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex, replicas }) => {
      const wanted = { name, partitionIndex, replicas, allowReplicationFactorChange }
      const changed = reassignOne(state, wanted)
      if (changed !== undefined && 'error' in changed) return { partitionIndex, ...errorFields(changed) }
      if (changed !== undefined) records.push(changed)
      return { partitionIndex, ...errorFields(undefined) }
    }),
  }))
  if (records.length > maxRecordsPerUserOperation) {
    return refuse('POLICY_VIOLATION', 'Excessively large number of partitions per request.')
  }
  return { records, reply: { allowReplicationFactorChange, responses } }
}

interface Wanted {
  readonly name: string
  readonly partitionIndex: number
  readonly replicas: readonly number[] | null
  readonly allowReplicationFactorChange: boolean
}

function reassignOne(state: ControllerState, wanted: Wanted): PartitionChangeRecord | ItemError | undefined {
  const { name, partitionIndex, replicas } = wanted
  const topic = state.image.topicsByName.get(name)
  if (topic === undefined) return itemError('UNKNOWN_TOPIC_OR_PARTITION', `Unable to find a topic named ${name}.`)
  const partition = topic.partitions.get(partitionIndex)
  if (partition === undefined) {
    return itemError('UNKNOWN_TOPIC_OR_PARTITION', `Unable to find partition ${name}:${partitionIndex}.`)
  }
  const place = { topic, partitionId: partitionIndex, partition }
  if (replicas === null) return cancel(state, place)
  const invalid =
    assignmentError(state, replicas, undefined) ??
    (wanted.allowReplicationFactorChange ? undefined : replicationFactorError(partition, replicas))
  if (invalid !== undefined) return invalid
  const removing = difference(partition.replicas, replicas)
  const adding = difference(replicas, partition.replicas)
  return changePartition(state.image, {
    topicId: topic.id,
    partitionId: partitionIndex,
    partition,
    elr: elrRules(state, topic),
    replicas: [...replicas, ...removing],
    // A target within the replicas of a reassignment under way leaves its marks as they are.
    ...(removing.length > 0 ? { removingReplicas: removing } : {}),
    ...(adding.length > 0 ? { addingReplicas: adding } : {}),
  })
}

interface Place {
  readonly topic: TopicImage
  readonly partitionId: number
  readonly partition: PartitionImage
}

function cancel(
  state: ControllerState,
  { topic, partitionId, partition }: Place,
): PartitionChangeRecord | ItemError | undefined {
  if (!isReassigning(partition))
    return itemError('NO_REASSIGNMENT_IN_PROGRESS', 'No partition reassignment is in progress.')
  const election = electionOf(state, topic.name)
  const replicas = partition.replicas.filter(id => !partition.addingReplicas.includes(id))
  const isr = partition.isr.filter(id => !partition.addingReplicas.includes(id))
  const [first] = replicas
  if (first === undefined) {
    return itemError('INVALID_REPLICA_ASSIGNMENT', 'Invalid replica assignment: addingReplicas contains all replicas.')
  }
  if (isr.length === 0 && election !== 'unclean') {
    return itemError(
      'INVALID_REPLICA_ASSIGNMENT',
      `Unable to revert partition assignment for ${topic.name}:${partitionId} because it would require an unclean leader election.`,
    )
  }
  return changePartition(state.image, {
    topicId: topic.id,
    partitionId,
    partition,
    election,
    elr: elrRules(state, topic),
    replicas,
    isr: isr.length === 0 ? [first] : isr,
    removingReplicas: [],
    addingReplicas: [],
  })
}

export function isReassigning(partition: PartitionImage): boolean {
  return partition.addingReplicas.length > 0 || partition.removingReplicas.length > 0
}

/** In ascending order, as the records have it. */
function difference(these: readonly number[], those: readonly number[]): number[] {
  return these.filter(id => !those.includes(id)).sort((first, second) => first - second)
}

/** The replication factor is that after the reassignment under way. */
function replicationFactorError(partition: PartitionImage, target: readonly number[]): ItemError | undefined {
  const { replicas, addingReplicas, removingReplicas } = partition
  const planned = new Set([...replicas, ...addingReplicas].filter(id => !removingReplicas.includes(id)))
  if (planned.size === target.length) return undefined
  return itemError(
    'INVALID_REPLICATION_FACTOR',
    `The replication factor is changed from ${planned.size} to ${target.length}`,
  )
}

// --------------------------------------------------------------------------------------------------------------- list

export interface ListReassignmentsInput {
  /** Null: all. */
  readonly topics: readonly { readonly name: string; readonly partitionIndexes: readonly number[] }[] | null
}

export interface ListReassignmentsReply {
  readonly topics: readonly {
    readonly name: string
    readonly partitions: readonly {
      readonly partitionIndex: number
      readonly replicas: readonly number[]
      readonly addingReplicas: readonly number[]
      readonly removingReplicas: readonly number[]
    }[]
  }[]
}

/** Partitions that are not being reassigned, or do not exist, are left out. */
export const listReassignments: Operation<ListReassignmentsInput, ListReassignmentsReply> = ({ image }, request) => {
  const asked =
    request.topics ??
    [...image.topicsByName.values()].map(({ name, partitions }) => ({ name, partitionIndexes: [...partitions.keys()] }))
  const topics = asked.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.flatMap(partitionIndex => {
      const partition = image.topicsByName.get(name)?.partitions.get(partitionIndex)
      if (partition === undefined || !isReassigning(partition)) return []
      const { replicas, addingReplicas, removingReplicas } = partition
      return [{ partitionIndex, replicas, addingReplicas, removingReplicas }]
    }),
  }))
  return { records: [], reply: { topics: topics.filter(({ partitions }) => partitions.length > 0) } }
}
