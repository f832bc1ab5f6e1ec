/**
 * DescribeQuorum: v0-2. Who leads the metadata quorum and how far its voters and observers are.
 *
 * Behavior:
 * - Only the leader knows; brokers forward to it, other controllers answer NOT_LEADER_OR_FOLLOWER.
 * - The leader counts as having fetched, and caught up, just now.
 * Versions: v1 last fetch and caught-up times (KIP-836); v2 error messages, directory ids, endpoints of the voters (KIP-853).
 * Errors: UNKNOWN_TOPIC_OR_PARTITION for anything but __cluster_metadata-0, NOT_LEADER_OR_FOLLOWER.
 */
import { errorCode, errorMessage, type ErrorName } from '../protocol/errors.ts'
import type { describeQuorumResponse, DescribeQuorumRequest } from '../protocol/messages/55-describe-quorum.ts'
import type { ReplicaProgress } from '../raft/leader-progress.ts'
import { metadataTopic } from '../raft/quorum-wire.ts'
import type { Input } from '../protocol/schema.ts'
import { handler, requestRight, type RequestContext } from './handler.ts'

type DescribeQuorumResponseInput = Input<typeof describeQuorumResponse>

export const describeQuorum = handler<DescribeQuorumRequest, DescribeQuorumResponseInput>({
  apiKey: 55,
  versions: [0, 2],
  listeners: ['broker', 'controller'],
  authorization: [requestRight('Describe')],
  forwardToController: true,
  fail: (_request, error, message) => ({ errorCode: errorCode(error), errorMessage: message, topics: [], nodes: [] }),
  handle: (request, context) => {
    const [topic] = request.topics
    const isOurs =
      request.topics.length === 1 &&
      topic?.topicName === metadataTopic &&
      topic.partitions.length === 1 &&
      topic.partitions[0]?.partitionIndex === 0
    if (!isOurs) return refuseEach(request, 'UNKNOWN_TOPIC_OR_PARTITION')
    return describeLeader(context) ?? refuseEach(request, 'NOT_LEADER_OR_FOLLOWER')
  },
})

function describeLeader({
  services,
  environment,
  apiVersion,
}: RequestContext): DescribeQuorumResponseInput | undefined {
  const { quorum, nodeId } = services
  const description = quorum.describe()
  if (description === undefined) return undefined
  const wallNowMs = environment.clock.wallMs()
  const aheadMs = wallNowMs - environment.clock.monotonicMs()
  const toWall = (monotonicMs: number): number => (monotonicMs < 0 ? -1 : monotonicMs + aheadMs)
  const replica = (state: ReplicaProgress) => ({
    replicaId: state.id,
    ...(apiVersion >= 2 ? { replicaDirectoryId: state.directoryId } : {}),
    logEndOffset: state.endOffset ?? -1,
    lastFetchTimestamp: state.id === nodeId ? wallNowMs : toWall(state.lastFetchMs),
    lastCaughtUpTimestamp: state.id === nodeId ? wallNowMs : toWall(state.lastCaughtUpMs),
  })
  const partition = {
    partitionIndex: 0,
    errorCode: 0,
    errorMessage: null,
    leaderId: nodeId,
    leaderEpoch: description.epoch,
    highWatermark: description.highWatermark,
    currentVoters: description.voters.map(replica),
    observers: description.observers.map(replica),
  }
  const voterIds = apiVersion >= 2 ? quorum.voterIds : []
  const nodes = voterIds.flatMap(voterId => {
    const address = quorum.addressOf(voterId)
    return address === undefined
      ? []
      : [{ nodeId: voterId, listeners: [{ name: quorum.controllerListenerName, ...address }] }]
  })
  return { errorCode: 0, errorMessage: null, topics: [{ topicName: metadataTopic, partitions: [partition] }], nodes }
}

function refuseEach(request: DescribeQuorumRequest, error: ErrorName): DescribeQuorumResponseInput {
  const refused = { errorCode: errorCode(error), errorMessage: errorMessage(error) }
  const nothing = { leaderId: -1, leaderEpoch: -1, highWatermark: -1, currentVoters: [], observers: [] }
  return {
    errorCode: 0,
    errorMessage: null,
    topics: request.topics.map(topic => ({
      topicName: topic.topicName,
      partitions: topic.partitions.map(({ partitionIndex }) => ({ partitionIndex, ...refused, ...nothing })),
    })),
    nodes: [],
  }
}
