/**
 * DescribeQuorum, API key 55, v0-2.
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

/** Shared by several fields below. */
const replicaState = {
  replicaId: int32(),
  replicaDirectoryId: uuid({ versions: '2+' }),
  logEndOffset: offset(),
  lastFetchTimestamp: offset({ versions: '1+', default: -1, ignorable: true }),
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
