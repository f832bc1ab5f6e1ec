/**
 * FetchSnapshot, API key 59, v0-1.
 *
 * Reads a metadata snapshot piece by piece (KIP-630).
 *
 * Versions: v1 directory id and endpoints (KIP-853).
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
        /** Leader epoch that the client knows, -1 for none; a mismatch is refused (KIP-320). */
        currentLeaderEpoch: int32(),
        snapshotId: struct({
          endOffset: offset(),
          epoch: int32(),
        }),
        /** Byte in the snapshot file. */
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
    /** How long the client was, or should be, held back for a quota, ms. */
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
        /** Where to go instead; set with NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH (KIP-951). */
        currentLeader: struct(
          { tag: 0 },
          {
            leaderId: int32(),
            leaderEpoch: int32(),
          },
        ),
        size: offset(),
        position: offset(),
        /** A piece of the file: neither end need be the end of a batch. */
        unalignedRecords: records(),
      }),
    }),
    /** Addresses of the leaders named above (KIP-951). */
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
