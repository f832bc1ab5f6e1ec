/**
 * Between the quorum machine's messages and those of the protocol: one topic, one partition, codes for names. Decides nothing; a message about
 * any other partition is not one of ours.
 * Sources: protocol messages 1, 52, 53, 54, 59.
 */
import type { Address } from '../environment/environment.ts'
import { errorCode, errorName, type ErrorName } from '../protocol/errors.ts'
import type { FetchRequest, FetchResponse, fetchRequest, fetchResponse } from '../protocol/messages/01-fetch.ts'
import type { VoteRequest, VoteResponse, voteRequest, voteResponse } from '../protocol/messages/52-vote.ts'
import type {
  BeginQuorumEpochRequest,
  BeginQuorumEpochResponse,
  beginQuorumEpochRequest,
} from '../protocol/messages/53-begin-quorum-epoch.ts'
import type {
  EndQuorumEpochRequest,
  EndQuorumEpochResponse,
  endQuorumEpochRequest,
} from '../protocol/messages/54-end-quorum-epoch.ts'
import type {
  FetchSnapshotRequest,
  FetchSnapshotResponse,
  fetchSnapshotRequest,
  fetchSnapshotResponse,
} from '../protocol/messages/59-fetch-snapshot.ts'
import type { Input } from '../protocol/schema.ts'
import { describeFetched } from './metadata-batches.ts'
import {
  noDirectoryId,
  type FetchRequest as FetchRequestMessage,
  type QuorumRequest,
  type QuorumResponse,
  type ResponseHead,
} from './quorum-messages.ts'

export const metadataTopic = '__cluster_metadata'
/** Uuid.METADATA_TOPIC_ID: 00000000-0000-0000-0000-000000000001. */
export const metadataTopicId = 'AAAAAAAAAAAAAAAAAAAAAQ'
export const metadataPartition = { topic: metadataTopic, partition: 0 } as const

export const apiKeys = { fetch: 1, vote: 52, beginQuorumEpoch: 53, endQuorumEpoch: 54, fetchSnapshot: 59 } as const

/** The only partition of the only topic of a message, if that is ours. */
function ours<Topic extends object, Partition extends object>(
  topics: readonly (Topic & { readonly partitions: readonly Partition[] })[],
  isTopic: (topic: Topic) => boolean,
  indexOf: (partition: Partition) => number,
): Partition | undefined {
  const [topic] = topics
  if (topics.length !== 1 || topic === undefined || topic.partitions.length !== 1 || !isTopic(topic)) return undefined
  const [partition] = topic.partitions
  return partition !== undefined && indexOf(partition) === 0 ? partition : undefined
}

const byName = (topic: { readonly topicName: string }): boolean => topic.topicName === metadataTopic
const byIndex = (partition: { readonly partitionIndex: number }): number => partition.partitionIndex

// ------------------------------------------------------------------------------------------------- requests that come in

export function voteFromWire(request: VoteRequest): QuorumRequest | undefined {
  const partition = ours(request.topics, byName, byIndex)
  if (partition === undefined) return undefined
  return {
    kind: 'vote',
    clusterId: request.clusterId,
    voterId: request.voterId,
    voterDirectoryId: partition.voterDirectoryId,
    epoch: partition.replicaEpoch,
    replicaId: partition.replicaId,
    replicaDirectoryId: partition.replicaDirectoryId,
    lastEpoch: partition.lastOffsetEpoch,
    lastOffset: partition.lastOffset,
    preVote: partition.preVote,
  }
}

export function beginQuorumEpochFromWire(request: BeginQuorumEpochRequest): QuorumRequest | undefined {
  const partition = ours(request.topics, byName, byIndex)
  if (partition === undefined) return undefined
  return {
    kind: 'beginQuorumEpoch',
    clusterId: request.clusterId,
    voterId: request.voterId,
    voterDirectoryId: partition.voterDirectoryId,
    leaderId: partition.leaderId,
    epoch: partition.leaderEpoch,
  }
}

export function endQuorumEpochFromWire(request: EndQuorumEpochRequest): QuorumRequest | undefined {
  const partition = ours(request.topics, byName, byIndex)
  if (partition === undefined) return undefined
  const candidates = partition.preferredCandidates.map(candidate => candidate.candidateId)
  return {
    kind: 'endQuorumEpoch',
    clusterId: request.clusterId,
    leaderId: partition.leaderId,
    epoch: partition.leaderEpoch,
    preferredSuccessors: candidates.length > 0 ? candidates : partition.preferredSuccessors,
  }
}

/** Whether a Fetch is for the metadata partition: topics by name up to version 12, by id from 13. */
export function isMetadataFetch(request: FetchRequest): boolean {
  return request.topics.some(topic => topic.topicId === metadataTopicId || topic.topic === metadataTopic)
}

export function fetchFromWire(request: FetchRequest): QuorumRequest | undefined {
  const isTopic = (topic: { topic: string; topicId: string }): boolean =>
    topic.topicId === metadataTopicId || topic.topic === metadataTopic
  const partition = ours(request.topics, isTopic, candidate => candidate.partition)
  if (partition === undefined) return undefined
  return {
    kind: 'fetch',
    clusterId: request.clusterId,
    replicaId: request.replicaState.replicaId >= 0 ? request.replicaState.replicaId : request.replicaId,
    replicaDirectoryId: partition.replicaDirectoryId,
    epoch: partition.currentLeaderEpoch,
    fetchOffset: partition.fetchOffset,
    lastFetchedEpoch: partition.lastFetchedEpoch,
    maxWaitMs: request.maxWaitMs,
    maxBytes: request.maxBytes,
    highWatermark: partition.highWatermark,
  }
}

export function fetchSnapshotFromWire(request: FetchSnapshotRequest): QuorumRequest | undefined {
  const partition = ours(
    request.topics,
    topic => topic.name === metadataTopic,
    candidate => candidate.partition,
  )
  if (partition === undefined) return undefined
  return {
    kind: 'fetchSnapshot',
    clusterId: request.clusterId,
    replicaId: request.replicaId,
    replicaDirectoryId: partition.replicaDirectoryId,
    epoch: partition.currentLeaderEpoch,
    snapshotId: partition.snapshotId,
    position: partition.position,
    maxBytes: request.maxBytes,
  }
}

// ------------------------------------------------------------------------------------------------ responses that go out

/** Endpoints of the leader, for versions that carry them. */
export interface ResponseContext {
  readonly apiVersion: number
  readonly addressOf: (nodeId: number) => Address | undefined
}

function endpoints(
  head: ResponseHead,
  context: ResponseContext,
  since: number,
): { nodeId: number; host: string; port: number }[] {
  const address = context.apiVersion >= since && head.leaderId >= 0 ? context.addressOf(head.leaderId) : undefined
  return address === undefined ? [] : [{ nodeId: head.leaderId, host: address.host, port: address.port }]
}

/** Vote, BeginQuorumEpoch and EndQuorumEpoch have responses of one shape; `voteGranted` means something in Vote only. */
export function electionResponseToWire(response: QuorumResponse, context: ResponseContext): Input<typeof voteResponse> {
  if (response.topLevelError !== 'NONE') return { errorCode: errorCode(response.topLevelError), topics: [] }
  const partition = {
    partitionIndex: 0,
    errorCode: errorCode(response.error),
    leaderId: response.leaderId,
    leaderEpoch: response.epoch,
    voteGranted: response.kind === 'vote' && response.voteGranted,
  }
  return {
    errorCode: 0,
    topics: [{ topicName: metadataTopic, partitions: [partition] }],
    nodeEndpoints: endpoints(response, context, 1),
  }
}

export function fetchResponseToWire(
  response: QuorumResponse,
  records: Buffer | undefined,
  context: ResponseContext,
): Input<typeof fetchResponse> {
  if (response.kind !== 'fetch' || response.topLevelError !== 'NONE')
    return { errorCode: errorCode(response.topLevelError), responses: [] }
  // Earlier versions have no room for it; who speaks them has no use for it either.
  const forReplicas =
    context.apiVersion < 12
      ? {}
      : {
          currentLeader: { leaderId: response.leaderId, leaderEpoch: response.epoch },
          ...(response.divergingEpoch === undefined ? {} : { divergingEpoch: { ...response.divergingEpoch } }),
          ...(response.snapshotId === undefined
            ? {}
            : { snapshotId: { endOffset: response.snapshotId.endOffset, epoch: response.snapshotId.epoch } }),
        }
  const partition = {
    partitionIndex: 0,
    errorCode: errorCode(response.error),
    highWatermark: response.highWatermark,
    logStartOffset: response.logStartOffset,
    ...forReplicas,
    abortedTransactions: [],
    records: records ?? Buffer.alloc(0),
  }
  return {
    errorCode: 0,
    responses: [{ topic: metadataTopic, topicId: metadataTopicId, partitions: [partition] }],
    nodeEndpoints: endpoints(response, context, 16).map(node => ({ ...node, rack: null })),
  }
}

export function fetchSnapshotResponseToWire(
  response: QuorumResponse,
  bytes: Buffer | undefined,
  context: ResponseContext,
): Input<typeof fetchSnapshotResponse> {
  if (response.kind !== 'fetchSnapshot' || response.topLevelError !== 'NONE') {
    return { errorCode: errorCode(response.topLevelError), topics: [] }
  }
  const partition = {
    index: 0,
    errorCode: errorCode(response.error),
    snapshotId: { endOffset: response.snapshotId?.endOffset ?? 0, epoch: response.snapshotId?.epoch ?? 0 },
    currentLeader: { leaderId: response.leaderId, leaderEpoch: response.epoch },
    size: response.sizeBytes,
    position: response.position,
    unalignedRecords: bytes ?? Buffer.alloc(0),
  }
  return {
    errorCode: 0,
    topics: [{ name: metadataTopic, partitions: [partition] }],
    nodeEndpoints: endpoints(response, context, 1),
  }
}

// ------------------------------------------------------------------------------------------------- requests that go out

export interface LocalEndpoint {
  readonly listenerName: string
  readonly address: Address | undefined
}

export function requestToWire(request: QuorumRequest, local: LocalEndpoint): object {
  const { clusterId } = request
  const topics = <Partition extends object>(partition: Partition) => [
    { topicName: metadataTopic, partitions: [{ partitionIndex: 0, ...partition }] },
  ]
  const leaderEndpoints = local.address === undefined ? [] : [{ name: local.listenerName, ...local.address }]
  switch (request.kind) {
    case 'vote': {
      const { epoch, lastEpoch, preVote, replicaId, replicaDirectoryId, voterDirectoryId, lastOffset } = request
      const partition = { replicaEpoch: epoch, replicaId, replicaDirectoryId, voterDirectoryId, lastOffset, preVote }
      const asked = topics({ ...partition, lastOffsetEpoch: lastEpoch })
      return { clusterId, voterId: request.voterId, topics: asked } satisfies Input<typeof voteRequest>
    }
    case 'beginQuorumEpoch': {
      const { voterDirectoryId, leaderId, epoch } = request
      return {
        clusterId,
        voterId: request.voterId,
        topics: topics({ voterDirectoryId, leaderId, leaderEpoch: epoch }),
        leaderEndpoints,
      } satisfies Input<typeof beginQuorumEpochRequest>
    }
    case 'endQuorumEpoch': {
      const { leaderId, epoch, preferredSuccessors } = request
      const preferredCandidates = preferredSuccessors.map(candidateId => ({
        candidateId,
        candidateDirectoryId: noDirectoryId,
      }))
      return {
        clusterId,
        topics: topics({ leaderId, leaderEpoch: epoch, preferredSuccessors, preferredCandidates }),
        leaderEndpoints,
      } satisfies Input<typeof endQuorumEpochRequest>
    }
    case 'fetch':
      return fetchToWire(request)
    case 'fetchSnapshot': {
      const { replicaDirectoryId, snapshotId, position, epoch } = request
      const { endOffset } = snapshotId
      const partition = {
        partition: 0,
        currentLeaderEpoch: epoch,
        snapshotId: { endOffset, epoch: snapshotId.epoch },
        position,
        replicaDirectoryId,
      }
      const topic = { name: metadataTopic, partitions: [partition] }
      const { replicaId, maxBytes } = request
      return { clusterId, replicaId, maxBytes, topics: [topic] } satisfies Input<typeof fetchSnapshotRequest>
    }
  }
}

function fetchToWire(request: FetchRequestMessage): Input<typeof fetchRequest> {
  return {
    clusterId: request.clusterId,
    replicaState: { replicaId: request.replicaId },
    maxWaitMs: request.maxWaitMs,
    minBytes: 0,
    maxBytes: request.maxBytes,
    topics: [
      {
        topic: metadataTopic,
        topicId: metadataTopicId,
        partitions: [
          {
            partition: 0,
            currentLeaderEpoch: request.epoch,
            fetchOffset: request.fetchOffset,
            lastFetchedEpoch: request.lastFetchedEpoch,
            partitionMaxBytes: request.maxBytes,
            replicaDirectoryId: request.replicaDirectoryId,
            highWatermark: request.highWatermark,
          },
        ],
      },
    ],
  }
}

// ------------------------------------------------------------------------------------------------ responses that come in

/** Undefined when the response is not about our partition. Throws when its records are damaged. */
export function responseFromWire(kind: QuorumRequest['kind'], body: object): QuorumResponse | undefined {
  switch (kind) {
    case 'vote':
      return electionResponseFromWire(kind, body as VoteResponse)
    case 'beginQuorumEpoch':
      return electionResponseFromWire(kind, body as BeginQuorumEpochResponse)
    case 'endQuorumEpoch':
      return electionResponseFromWire(kind, body as EndQuorumEpochResponse)
    case 'fetch':
      return fetchResponseFromWire(body as FetchResponse)
    case 'fetchSnapshot':
      return fetchSnapshotResponseFromWire(body as FetchSnapshotResponse)
  }
}

const headOf = (error: ErrorName, code: number, leaderId: number, epoch: number): ResponseHead => ({
  topLevelError: error,
  error: errorName(code),
  leaderId,
  epoch,
})

function electionResponseFromWire(
  kind: 'vote' | 'beginQuorumEpoch' | 'endQuorumEpoch',
  body: VoteResponse | BeginQuorumEpochResponse | EndQuorumEpochResponse,
): QuorumResponse | undefined {
  const topLevelError = errorName(body.errorCode)
  if (topLevelError !== 'NONE') {
    return { ...headOf(topLevelError, 0, -1, -1), ...(kind === 'vote' ? { kind, voteGranted: false } : { kind }) }
  }
  const topics: readonly {
    topicName: string
    partitions: readonly (
      | VoteResponse['topics'][number]['partitions'][number]
      | EndQuorumEpochResponse['topics'][number]['partitions'][number]
    )[]
  }[] = body.topics
  const partition = ours(topics, byName, byIndex)
  if (partition === undefined) return undefined
  const head = headOf('NONE', partition.errorCode, partition.leaderId, partition.leaderEpoch)
  if (kind !== 'vote') return { kind, ...head }
  return { kind, ...head, voteGranted: 'voteGranted' in partition && partition.voteGranted }
}

function fetchResponseFromWire(body: FetchResponse): QuorumResponse | undefined {
  const topLevelError = errorName(body.errorCode)
  const nothing = { divergingEpoch: undefined, snapshotId: undefined, read: undefined, records: undefined }
  if (topLevelError !== 'NONE') {
    return { kind: 'fetch', ...headOf(topLevelError, 0, -1, -1), highWatermark: -1, logStartOffset: -1, ...nothing }
  }
  const isTopic = (topic: { topic: string; topicId: string }): boolean =>
    topic.topicId === metadataTopicId || topic.topic === metadataTopic
  const partition = ours(body.responses, isTopic, byIndex)
  if (partition === undefined) return undefined
  const { currentLeader, divergingEpoch, snapshotId, records } = partition
  return {
    kind: 'fetch',
    ...headOf('NONE', partition.errorCode, currentLeader.leaderId, currentLeader.leaderEpoch),
    highWatermark: partition.highWatermark,
    logStartOffset: partition.logStartOffset,
    divergingEpoch: divergingEpoch.epoch >= 0 ? divergingEpoch : undefined,
    snapshotId: snapshotId.epoch >= 0 && snapshotId.endOffset >= 0 ? snapshotId : undefined,
    read: undefined,
    records: records === null ? undefined : describeFetched(records),
  }
}

function fetchSnapshotResponseFromWire(body: FetchSnapshotResponse): QuorumResponse | undefined {
  const topLevelError = errorName(body.errorCode)
  if (topLevelError !== 'NONE') {
    const head = headOf(topLevelError, 0, -1, -1)
    return {
      kind: 'fetchSnapshot',
      ...head,
      snapshotId: undefined,
      sizeBytes: 0,
      position: 0,
      readBytes: 0,
      bytes: undefined,
    }
  }
  const partition = ours(
    body.topics,
    topic => topic.name === metadataTopic,
    candidate => candidate.index,
  )
  if (partition === undefined) return undefined
  const { currentLeader, snapshotId } = partition
  return {
    kind: 'fetchSnapshot',
    ...headOf('NONE', partition.errorCode, currentLeader.leaderId, currentLeader.leaderEpoch),
    snapshotId: snapshotId.epoch >= 0 && snapshotId.endOffset >= 0 ? snapshotId : undefined,
    sizeBytes: partition.size,
    position: partition.position,
    readBytes: 0,
    bytes: partition.unalignedRecords,
  }
}
