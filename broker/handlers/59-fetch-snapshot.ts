/**
 * FetchSnapshot: v0-1. A follower or observer that is below the leader's log start downloads a snapshot piece by piece.
 *
 * Behavior:
 * - Only snapshots of the log are served; the bootstrap checkpoint 0-0 is not, its records are in the log.
 * - A piece is as long as asked for, at most 8 MiB; it may end in the middle of a batch.
 * Versions: v1 directory id, leader endpoint (KIP-853).
 * Errors: INCONSISTENT_CLUSTER_ID, INVALID_REQUEST, BROKER_NOT_AVAILABLE for the whole; FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH,
 * NOT_LEADER_OR_FOLLOWER, SNAPSHOT_NOT_FOUND, POSITION_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION for the partition.
 */
import { errorCode } from '../protocol/errors.ts'
import type { fetchSnapshotResponse, FetchSnapshotRequest } from '../protocol/messages/59-fetch-snapshot.ts'
import { fetchSnapshotFromWire, fetchSnapshotResponseToWire } from '../raft/quorum-wire.ts'
import type { Input } from '../protocol/schema.ts'
import { handler, requestRight } from './handler.ts'

type FetchSnapshotResponseInput = Input<typeof fetchSnapshotResponse>

export const fetchSnapshot = handler<FetchSnapshotRequest, FetchSnapshotResponseInput>({
  apiKey: 59,
  versions: [0, 1],
  listeners: ['controller'],
  authorization: [requestRight('ClusterAction')],
  fail: (_request, error) => ({ errorCode: errorCode(error), topics: [] }),
  handle: async (request, context) => {
    const { quorum } = context.services
    const asked = fetchSnapshotFromWire(request)
    if (asked === undefined) return unknownPartition(request)
    if (!quorum.isRunning) return { errorCode: errorCode('BROKER_NOT_AVAILABLE'), topics: [] }
    const { response, bytes } = await quorum.answer(asked)
    const addressOf = (nodeId: number) => quorum.addressOf(nodeId)
    return fetchSnapshotResponseToWire(response, bytes, { apiVersion: context.apiVersion, addressOf })
  },
})

function unknownPartition(request: FetchSnapshotRequest): FetchSnapshotResponseInput {
  const [topic] = request.topics
  const [partition] = topic?.partitions ?? []
  if (topic === undefined || partition === undefined) return { errorCode: errorCode('INVALID_REQUEST'), topics: [] }
  const refused = {
    index: partition.partition,
    errorCode: errorCode('UNKNOWN_TOPIC_OR_PARTITION'),
    snapshotId: { endOffset: 0, epoch: 0 },
    size: 0,
    position: 0,
    unalignedRecords: Buffer.alloc(0),
  }
  return { errorCode: 0, topics: [{ name: topic.name, partitions: [refused] }] }
}
