/**
 * Records of __remote_log_metadata: what became of segments in tiered storage (KIP-405). Framed like metadata records.
 */
import { array, bool, bytes, int32, int8, message, offset, string, struct, uuid, type Infer } from '../schema.ts'

export const remoteLogSegmentMetadataRecord = message({
  key: 0,
  name: 'RemoteLogSegmentMetadataRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    remoteLogSegmentId: struct({
      topicIdPartition: struct({
        name: string(),
        id: uuid(),
        partition: int32(),
      }),
      id: uuid(),
    }),
    startOffset: offset(),
    endOffset: offset(),
    brokerId: int32(),
    maxTimestampMs: offset(),
    eventTimestampMs: offset(),
    segmentLeaderEpochs: array({
      leaderEpoch: int32(),
      offset: offset(),
    }),
    segmentSizeInBytes: int32(),
    customMetadata: bytes({ nullable: '0+', default: null }),
    remoteLogSegmentState: int8(),
    txnIndexEmpty: bool({ tag: 0 }),
  },
})
export type RemoteLogSegmentMetadataRecord = Infer<typeof remoteLogSegmentMetadataRecord>

export const remoteLogSegmentMetadataUpdateRecord = message({
  key: 1,
  name: 'RemoteLogSegmentMetadataUpdateRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    remoteLogSegmentId: struct({
      topicIdPartition: struct({
        name: string(),
        id: uuid(),
        partition: int32(),
      }),
      id: uuid(),
    }),
    brokerId: int32(),
    eventTimestampMs: offset(),
    customMetadata: bytes({ nullable: '0+', default: null }),
    remoteLogSegmentState: int8(),
  },
})
export type RemoteLogSegmentMetadataUpdateRecord = Infer<typeof remoteLogSegmentMetadataUpdateRecord>

export const remotePartitionDeleteMetadataRecord = message({
  key: 2,
  name: 'RemotePartitionDeleteMetadataRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    topicIdPartition: struct({
      name: string(),
      id: uuid(),
      partition: int32(),
    }),
    brokerId: int32(),
    eventTimestampMs: offset(),
    remotePartitionDeleteState: int8(),
  },
})
export type RemotePartitionDeleteMetadataRecord = Infer<typeof remotePartitionDeleteMetadataRecord>

export const remoteLogSegmentMetadataSnapshotRecord = message({
  key: 3,
  name: 'RemoteLogSegmentMetadataSnapshotRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    segmentId: uuid(),
    startOffset: offset(),
    endOffset: offset(),
    brokerId: int32(),
    maxTimestampMs: offset(),
    eventTimestampMs: offset(),
    segmentLeaderEpochs: array({
      leaderEpoch: int32(),
      offset: offset(),
    }),
    segmentSizeInBytes: int32(),
    customMetadata: bytes({ nullable: '0+', default: null }),
    remoteLogSegmentState: int8(),
    txnIndexEmpty: bool({ tag: 0 }),
  },
})
export type RemoteLogSegmentMetadataSnapshotRecord = Infer<typeof remoteLogSegmentMetadataSnapshotRecord>
