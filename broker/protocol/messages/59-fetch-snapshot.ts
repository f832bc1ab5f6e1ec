/**
 * FetchSnapshot, API key 59, v0-1.
 */
import { array, int16, int32, message, offset, records, string, struct, uint16, uuid, type Infer } from '../schema.ts'

export const fetchSnapshotRequest = message({
  key: 59,
  name: 'FetchSnapshotRequest',
  kind: 'request',
  versions: '0-1',
  flexible: '0+',
  fields: {
    clusterId: string({ nullable: '0+', tag: 0, default: null }),
    replicaId: int32({ default: -1 }),
    maxBytes: int32({ default: 0x7fffffff }),
    topics: array({
      name: string(),
      partitions: array({
        partition: int32(),
        currentLeaderEpoch: int32(),
        snapshotId: struct({
          endOffset: offset(),
          epoch: int32(),
        }),
        position: offset(),
        replicaDirectoryId: uuid({ versions: '1+', tag: 0, ignorable: true }),
      }),
    }),
  },
})
export type FetchSnapshotRequest = Infer<typeof fetchSnapshotRequest>

export const fetchSnapshotResponse = message({
  key: 59,
  name: 'FetchSnapshotResponse',
  kind: 'response',
  versions: '0-1',
  flexible: '0+',
  fields: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    topics: array({
      name: string(),
      partitions: array({
        index: int32(),
        errorCode: int16(),
        snapshotId: struct({
          endOffset: offset(),
          epoch: int32(),
        }),
        currentLeader: struct(
          { tag: 0 },
          {
            leaderId: int32(),
            leaderEpoch: int32(),
          },
        ),
        size: offset(),
        position: offset(),
        unalignedRecords: records(),
      }),
    }),
    nodeEndpoints: array(
      { versions: '1+', tag: 0 },
      {
        nodeId: int32(),
        host: string(),
        port: uint16(),
      },
    ),
  },
})
export type FetchSnapshotResponse = Infer<typeof fetchSnapshotResponse>
