/**
 * Fetch, API key 1, v4-18.
 */
import {
  array,
  int16,
  int32,
  int64,
  int8,
  message,
  offset,
  records,
  string,
  struct,
  uuid,
  type Infer,
} from '../schema.ts'

export const fetchRequest = message({
  key: 1,
  name: 'FetchRequest',
  kind: 'request',
  versions: '4-18',
  flexible: '12+',
  fields: {
    clusterId: string({ versions: '12+', nullable: '12+', tag: 0, default: null, ignorable: true }),
    replicaId: int32({ versions: '0-14', default: -1 }),
    replicaState: struct(
      { versions: '15+', tag: 1 },
      {
        replicaId: int32({ default: -1 }),
        replicaEpoch: offset({ default: -1 }),
      },
    ),
    maxWaitMs: int32(),
    minBytes: int32(),
    maxBytes: int32({ default: 0x7fffffff }),
    isolationLevel: int8({ default: 0 }),
    sessionId: int32({ versions: '7+', default: 0, ignorable: true }),
    sessionEpoch: int32({ versions: '7+', default: -1, ignorable: true }),
    topics: array({
      topic: string({ versions: '0-12', ignorable: true }),
      topicId: uuid({ versions: '13+', ignorable: true }),
      partitions: array({
        partition: int32(),
        currentLeaderEpoch: int32({ versions: '9+', default: -1, ignorable: true }),
        fetchOffset: offset(),
        lastFetchedEpoch: int32({ versions: '12+', default: -1 }),
        logStartOffset: offset({ versions: '5+', default: -1, ignorable: true }),
        partitionMaxBytes: int32(),
        replicaDirectoryId: uuid({ versions: '17+', tag: 0, ignorable: true }),
        highWatermark: offset({ versions: '18+', tag: 1, default: Infinity, ignorable: true }),
      }),
    }),
    forgottenTopicsData: array(
      { versions: '7+' },
      {
        topic: string({ versions: '7-12', ignorable: true }),
        topicId: uuid({ versions: '13+', ignorable: true }),
        partitions: array(int32()),
      },
    ),
    rackId: string({ versions: '11+', default: '', ignorable: true }),
  },
})
export type FetchRequest = Infer<typeof fetchRequest>

export const fetchResponse = message({
  key: 1,
  name: 'FetchResponse',
  kind: 'response',
  versions: '4-18',
  flexible: '12+',
  fields: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16({ versions: '7+', ignorable: true }),
    sessionId: int32({ versions: '7+', default: 0 }),
    responses: array({
      topic: string({ versions: '0-12', ignorable: true }),
      topicId: uuid({ versions: '13+', ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        highWatermark: offset(),
        lastStableOffset: offset({ default: -1 }),
        logStartOffset: offset({ versions: '5+', default: -1, ignorable: true }),
        divergingEpoch: struct(
          { versions: '12+', tag: 0 },
          {
            epoch: int32({ default: -1 }),
            endOffset: offset({ default: -1 }),
          },
        ),
        currentLeader: struct(
          { versions: '12+', tag: 1 },
          {
            leaderId: int32({ default: -1 }),
            leaderEpoch: int32({ default: -1 }),
          },
        ),
        snapshotId: struct(
          { versions: '12+', tag: 2 },
          {
            endOffset: offset({ default: -1 }),
            epoch: int32({ default: -1 }),
          },
        ),
        abortedTransactions: array(
          { nullable: '4+' },
          {
            producerId: int64(),
            firstOffset: offset(),
          },
        ),
        preferredReadReplica: int32({ versions: '11+', default: -1 }),
        records: records({ nullable: '0+' }),
      }),
    }),
    nodeEndpoints: array(
      { versions: '16+', tag: 0 },
      {
        nodeId: int32(),
        host: string(),
        port: int32(),
        rack: string({ nullable: '16+', default: null }),
      },
    ),
  },
})
export type FetchResponse = Infer<typeof fetchResponse>
