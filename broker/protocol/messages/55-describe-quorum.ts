/**
 * DescribeQuorum, API key 55, v0-2.
 *
 * Leader, voters and observers of the metadata log with their offsets (KIP-595).
 *
 * Versions: v1 timestamps (KIP-836); v2 nodes, directory ids, error messages (KIP-853).
 */
import { array, int16, int32, message, offset, string, uint16, uuid, type Infer } from '../schema.ts'

export const describeQuorumRequest = message({
  key: 55,
  name: 'DescribeQuorumRequest',
  kind: 'request',
  versions: '0-2',
  flexible: '0+',
  fields: {
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
      }),
    }),
  },
})
export type DescribeQuorumRequest = Infer<typeof describeQuorumRequest>

/** What the leader knows of a voter or observer. */
const replicaState = {
  replicaId: int32(),
  replicaDirectoryId: uuid({ versions: '2+' }),
  logEndOffset: offset(),
  /** Leader's clock at the last fetch, -1 for unknown (KIP-836). */
  lastFetchTimestamp: offset({ versions: '1+', default: -1, ignorable: true }),
  /** Leader's clock when the replica last had everything, -1 for unknown (KIP-836). */
  lastCaughtUpTimestamp: offset({ versions: '1+', default: -1, ignorable: true }),
}

export const describeQuorumResponse = message({
  key: 55,
  name: 'DescribeQuorumResponse',
  kind: 'response',
  versions: '0-2',
  flexible: '0+',
  fields: {
    errorCode: int16(),
    errorMessage: string({ versions: '2+', nullable: '2+', ignorable: true }),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ versions: '2+', nullable: '2+', ignorable: true }),
        leaderId: int32(),
        leaderEpoch: int32(),
        highWatermark: offset(),
        currentVoters: array(replicaState),
        observers: array(replicaState),
      }),
    }),
    nodes: array(
      { versions: '2+' },
      {
        nodeId: int32(),
        listeners: array({
          name: string(),
          host: string(),
          port: uint16(),
        }),
      },
    ),
  },
})
export type DescribeQuorumResponse = Infer<typeof describeQuorumResponse>
