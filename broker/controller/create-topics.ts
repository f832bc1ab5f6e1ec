/**
 * CreateTopics v2-7 as an operation. Each topic succeeds or fails by itself; all records of a request are one atomic batch.
 * Source: KIP-4, KIP-464 (defaults), KIP-525 (configs in the response), KIP-516 (topic ids); messages as Kafka's.
 */
import { topicConfig, type TopicConfigName } from '../config/topic-config.ts'
import type { Setting } from '../config/table.ts'
import { errorCode } from '../protocol/errors.ts'
import { checkTopicConfig } from './check-configs.ts'
import { effectiveTopicValue, topicSource } from './effective-config.ts'
import type { PartitionImage } from './image.ts'
import { partitionRecord } from './image-to-records.ts'
import { configResource } from './metadata-record.ts'
import type { MetadataRecord, Uuid } from './metadata-record.ts'
import { errorFields, isActive, itemError, maxRecordsPerUserOperation, refuse } from './operation.ts'
import {
  takePartitions,
  type ControllerState,
  type ItemError,
  type Operation,
  type PartitionQuota,
} from './operation.ts'
import { defaultDirectory, isFullyCordoned } from './partition-change.ts'
import { placeReplicas } from './replica-placer.ts'
import { collidingTopic, invalidTopicName } from './topic-names.ts'
import { randomUuid } from './uuid.ts'

export interface CreatableTopic {
  readonly name: string
  /** -1: the default, or the number of assignments. */
  readonly numPartitions: number
  readonly replicationFactor: number
  readonly assignments: readonly { readonly partitionIndex: number; readonly brokerIds: readonly number[] }[]
  readonly configs: readonly { readonly name: string; readonly value: string | null }[]
}

export interface CreateTopicsInput {
  readonly topics: readonly CreatableTopic[]
  readonly validateOnly: boolean
  readonly quota?: PartitionQuota
}

export interface CreatableTopicResult {
  readonly name: string
  readonly topicId?: Uuid
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly topicConfigErrorCode?: number
  readonly numPartitions?: number
  readonly replicationFactor?: number
  readonly configs?: readonly {
    readonly name: string
    readonly value: string | null
    readonly readOnly: boolean
    readonly configSource: number
    readonly isSensitive: boolean
  }[]
}

export const createTopics: Operation<CreateTopicsInput, { readonly topics: readonly CreatableTopicResult[] }> = (
  state,
  request,
) => {
  const duplicates = duplicateNames(request.topics)
  const firstNames = firstOfMetricsName(request.topics)
  const records: MetadataRecord[] = []
  const results: CreatableTopicResult[] = []
  for (const topic of request.topics) {
    if (duplicates.has(topic.name)) continue
    const created = createTopic(state, topic, request, firstNames)
    if ('error' in created) {
      results.push({ name: topic.name, ...errorFields(created) })
    } else {
      records.push(...created.records)
      results.push(created.result)
    }
    // At once, not after the last of a million.
    if (records.length > maxRecordsPerUserOperation)
      return refuse('POLICY_VIOLATION', 'Excessively large number of partitions per request.')
  }
  for (const name of duplicates) {
    results.push({ name, ...errorFields(itemError('INVALID_REQUEST', 'Duplicate topic name.')) })
  }
  return { records: request.validateOnly ? [] : records, reply: { topics: results } }
}

function duplicateNames(topics: readonly CreatableTopic[]): Set<string> {
  const seen = new Set<string>()
  return new Set(topics.map(topic => topic.name).filter(name => seen.has(name) || !seen.add(name)))
}

const metricsName = (name: string): string => name.replaceAll('.', '_')

/** By the name that topics have in metrics, the first in the alphabet of those of the request. */
function firstOfMetricsName(topics: readonly CreatableTopic[]): Map<string, string> {
  const first = new Map<string, string>()
  for (const { name } of topics) {
    const known = first.get(metricsName(name))
    if (known === undefined || name < known) first.set(metricsName(name), name)
  }
  return first
}

function createTopic(
  state: ControllerState,
  topic: CreatableTopic,
  { quota }: CreateTopicsInput,
  firstNames: ReadonlyMap<string, string>,
): { readonly records: MetadataRecord[]; readonly result: CreatableTopicResult } | ItemError {
  const refusal = nameError(state, topic, firstNames) ?? configError(state, topic)
  if (refusal !== undefined) return refusal
  const partitions = topic.assignments.length > 0 ? assigned(state, topic) : placed(state, topic)
  if ('error' in partitions) return partitions
  const exceeded = takePartitions(quota, partitions.length)
  if (exceeded !== undefined) return exceeded
  const topicId = randomUuid(state.random)
  const records: MetadataRecord[] = [{ type: 'Topic', name: topic.name, topicId }]
  for (const { name, value } of topic.configs) {
    records.push({ type: 'Config', resourceType: configResource.topic, resourceName: topic.name, name, value })
  }
  partitions.forEach((partition, index) => records.push(partitionRecord(topicId, index, partition)))
  return {
    records,
    result: {
      name: topic.name,
      topicId,
      errorCode: 0,
      errorMessage: null,
      topicConfigErrorCode: errorCode('NONE'),
      numPartitions: partitions.length,
      replicationFactor: partitions[0]?.replicas.length ?? -1,
      configs: effectiveConfigs(state, topic),
    },
  }
}

function nameError(
  { image }: ControllerState,
  { name }: CreatableTopic,
  firstNames: ReadonlyMap<string, string>,
): ItemError | undefined {
  const invalid = invalidTopicName(name)
  if (invalid !== undefined) return itemError('INVALID_TOPIC_EXCEPTION', invalid)
  if (image.topicsByName.has(name)) return itemError('TOPIC_ALREADY_EXISTS', `Topic '${name}' already exists.`)
  const colliding = collidingTopic(image, name)
  if (colliding !== undefined) {
    return itemError('INVALID_TOPIC_EXCEPTION', `Topic '${name}' collides with existing topic: ${colliding}`)
  }
  const twin = firstNames.get(metricsName(name))
  if (twin !== undefined && twin < name) {
    return itemError('INVALID_TOPIC_EXCEPTION', `Topic '${name}' collides with another topic of the request: ${twin}`)
  }
  return undefined
}

function configError(state: ControllerState, topic: CreatableTopic): ItemError | undefined {
  const nulls = topic.configs.filter(({ value }) => value === null).map(({ name }) => name)
  if (nulls.length > 0) {
    return itemError('INVALID_CONFIG', `Null value not supported for topic configs: ${nulls.join(',')}`)
  }
  return checkTopicConfig(state, overridesOf(topic))
}

const overridesOf = (topic: CreatableTopic) => new Map(topic.configs.map(({ name, value }) => [name, value ?? '']))

/** A new partition; undefined when no replica is alive. */
export function newPartition(state: ControllerState, replicas: readonly number[]): PartitionImage | undefined {
  const isr = replicas.filter(id => isActive(state.image, id))
  const leader = isr[0]
  if (leader === undefined) return undefined
  return {
    replicas,
    isr,
    leader,
    leaderEpoch: 0,
    partitionEpoch: 0,
    leaderRecoveryState: 0,
    addingReplicas: [],
    removingReplicas: [],
    directories: replicas.map(id => defaultDirectory(state.image, id)),
    elr: [],
    lastKnownElr: [],
  }
}

function assigned(state: ControllerState, topic: CreatableTopic): PartitionImage[] | ItemError {
  if (topic.replicationFactor !== -1 || topic.numPartitions !== -1) {
    const field = topic.replicationFactor === -1 ? 'numPartitions' : 'replication factor'
    return itemError('INVALID_REQUEST', `A manual partition assignment was specified, but ${field} was not set to -1.`)
  }
  const partitions: PartitionImage[] = []
  let replicationFactor: number | undefined
  for (const { partitionIndex, brokerIds } of topic.assignments) {
    if (partitions[partitionIndex] !== undefined) {
      return itemError(
        'INVALID_REPLICA_ASSIGNMENT',
        `Found multiple manual partition assignments for partition ${partitionIndex}`,
      )
    }
    if (partitionIndex < 0 || partitionIndex >= topic.assignments.length) {
      return itemError('INVALID_REPLICA_ASSIGNMENT', 'partitions should be a consecutive 0-based integer sequence')
    }
    const invalid = assignmentError(state, brokerIds, replicationFactor)
    if (invalid !== undefined) return invalid
    replicationFactor = brokerIds.length
    const partition = newPartition(state, brokerIds)
    if (partition === undefined) return noneAlive(partitionIndex)
    partitions[partitionIndex] = partition
  }
  return partitions
}

export function noneAlive(partitionIndex: number): ItemError {
  return itemError(
    'INVALID_REPLICA_ASSIGNMENT',
    `All brokers specified in the manual partition assignment for partition ${partitionIndex} are fenced or in controlled shutdown.`,
  )
}

/** Why brokers given by hand cannot be the replicas of a partition. */
export function assignmentError(
  { image }: ControllerState,
  brokerIds: readonly number[],
  replicationFactor: number | undefined,
): ItemError | undefined {
  const refuseAssignment = (message: string) => itemError('INVALID_REPLICA_ASSIGNMENT', message)
  if (brokerIds.length === 0) return refuseAssignment('The manual partition assignment includes an empty replica list.')
  const sorted = [...brokerIds].sort((first, second) => first - second)
  for (const [index, id] of sorted.entries()) {
    if (!image.brokers.has(id)) {
      return refuseAssignment(
        `The manual partition assignment includes broker ${id}, but no such broker is registered.`,
      )
    }
    if (index > 0 && sorted[index - 1] === id) {
      return refuseAssignment(`The manual partition assignment includes the broker ${id} more than once.`)
    }
  }
  if (replicationFactor !== undefined && brokerIds.length !== replicationFactor) {
    return refuseAssignment(
      `The manual partition assignment includes a partition with ${brokerIds.length} replica(s), but this is not consistent with ` +
        `previous partitions, which have ${replicationFactor} replica(s).`,
    )
  }
  return undefined
}

function placed(state: ControllerState, topic: CreatableTopic): PartitionImage[] | ItemError {
  if (topic.replicationFactor < -1 || topic.replicationFactor === 0) {
    return itemError(
      'INVALID_REPLICATION_FACTOR',
      'Replication factor must be larger than 0, or -1 to use the default value.',
    )
  }
  if (topic.numPartitions < -1 || topic.numPartitions === 0) {
    return itemError('INVALID_PARTITIONS', 'Number of partitions was set to an invalid non-positive value.')
  }
  return place(state, {
    partitions: topic.numPartitions === -1 ? state.config['num.partitions'] : topic.numPartitions,
    replicationFactor:
      topic.replicationFactor === -1 ? state.config['default.replication.factor'] : topic.replicationFactor,
  })
}

/** New partitions on brokers of the placer's choice. */
export function place(
  state: ControllerState,
  wanted: { readonly partitions: number; readonly replicationFactor: number },
): PartitionImage[] | ItemError {
  if (wanted.partitions > maxRecordsPerUserOperation) {
    return itemError('POLICY_VIOLATION', 'Excessively large number of partitions per request.')
  }
  const prefix = `Unable to replicate the partition ${wanted.replicationFactor} time(s): `
  const usable = [...state.image.brokers.values()].filter(
    broker => !broker.inControlledShutdown && !isFullyCordoned(broker),
  )
  const lists = placeReplicas(state.random, usable, wanted)
  if ('impossible' in lists) return itemError('INVALID_REPLICATION_FACTOR', prefix + lists.impossible)
  const partitions: PartitionImage[] = []
  for (const replicas of lists) {
    const partition = newPartition(state, replicas)
    if (partition === undefined) {
      return itemError(
        'INVALID_REPLICATION_FACTOR',
        `${prefix}All brokers are currently fenced or in controlled shutdown.`,
      )
    }
    partitions.push(partition)
  }
  return partitions
}

function effectiveConfigs(state: ControllerState, topic: CreatableTopic) {
  const overrides = overridesOf(topic)
  return (Object.keys(topicConfig) as TopicConfigName[]).sort().map(name => {
    const definition = topicConfig[name] as Setting<unknown>
    return {
      name,
      value: definition.format(effectiveTopicValue(state, overrides, name)),
      readOnly: false,
      configSource: topicSource(state, overrides, name),
      isSensitive: false,
    }
  })
}
