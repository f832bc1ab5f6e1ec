/**
 * Fetch, API key 1, v4-18.
 *
 * Reads record batches: consumers, followers and, on the metadata log, brokers and voters.
 *
 * Versions: v7 incremental sessions (KIP-227); v9 leader epoch check (KIP-320); v11 rack, follower reads (KIP-392); v12 flexible, truncation by
 * diverging epoch (KIP-595); v13 topic ids (KIP-516); v15 replica state (KIP-903); v16 leader hints (KIP-951); v17 directory id (KIP-853);
 * v18 high watermark of the follower (KIP-1166).
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
    /** Checked before a broker is registered. */
    clusterId: string({ versions: '12+', nullable: '12+', tag: 0, default: null, ignorable: true }),
    /** Broker id of a follower, -1 for a consumer; part of `replicaState` from v15 on (KIP-903). */
    replicaId: int32({ versions: '0-14', default: -1 }),
    /** Who fetches, with the broker epoch that fences zombies (KIP-903). */
    replicaState: struct(
      { versions: '15+', tag: 1 },
      {
        /** Broker id of a follower, -1 for a consumer; part of `replicaState` from v15 on (KIP-903). */
        replicaId: int32({ default: -1 }),
        replicaEpoch: offset({ default: -1 }),
      },
    ),
    maxWaitMs: int32(),
    minBytes: int32(),
    /** Limit of the whole response; the first batch comes even when it is larger (KIP-74). */
    maxBytes: int32({ default: 0x7fffffff }),
    /** 0: up to the high watermark; 1: up to the last stable offset, with aborted transactions named. */
    isolationLevel: int8({ default: 0 }),
    /** 0 to open a session, or to do without. */
    sessionId: int32({ versions: '7+', default: 0, ignorable: true }),
    /** 0 opens a session, -1 does without or closes; otherwise counts up. */
    sessionEpoch: int32({ versions: '7+', default: -1, ignorable: true }),
    topics: array({
      topic: string({ versions: '0-12', ignorable: true }),
      topicId: uuid({ versions: '13+', ignorable: true }),
      partitions: array({
        partition: int32(),
        /** Leader epoch that the client knows, -1 for none; a mismatch is refused (KIP-320). */
        currentLeaderEpoch: int32({ versions: '9+', default: -1, ignorable: true }),
        fetchOffset: offset(),
        /** Epoch of the record before `fetchOffset`: the leader looks for divergence (KIP-595). */
        lastFetchedEpoch: int32({ versions: '12+', default: -1 }),
        /** Followers report theirs, so that the leader can raise the low watermark. */
        logStartOffset: offset({ versions: '5+', default: -1, ignorable: true }),
        partitionMaxBytes: int32(),
        replicaDirectoryId: uuid({ versions: '17+', tag: 0, ignorable: true }),
        /** What the replica knows; lets the leader answer at once when its own is ahead (KIP-1166). */
        highWatermark: offset({ versions: '18+', tag: 1, default: Infinity, ignorable: true }),
      }),
    }),
    /** Partitions that leave the session. */
    forgottenTopicsData: array(
      { versions: '7+' },
      {
        topic: string({ versions: '7-12', ignorable: true }),
        topicId: uuid({ versions: '13+', ignorable: true }),
        partitions: array(int32()),
      },
    ),
    /** Rack of the consumer (KIP-392). */
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
    /** How long the client was, or should be, held back for a quota, ms. */
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
        /** All transactions below it are decided. */
        lastStableOffset: offset({ default: -1 }),
        logStartOffset: offset({ versions: '5+', default: -1, ignorable: true }),
        /** Set when the follower's log diverges: where to truncate. */
        divergingEpoch: struct(
          { versions: '12+', tag: 0 },
          {
            epoch: int32({ default: -1 }),
            endOffset: offset({ default: -1 }),
          },
        ),
        /** Where to go instead; set with NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH (KIP-951). */
        currentLeader: struct(
          { versions: '12+', tag: 1 },
          {
            leaderId: int32({ default: -1 }),
            leaderEpoch: int32({ default: -1 }),
          },
        ),
        /** Set when the follower has to load this snapshot first (KIP-630). */
        snapshotId: struct(
          { versions: '12+', tag: 2 },
          {
            endOffset: offset({ default: -1 }),
            epoch: int32({ default: -1 }),
          },
        ),
        /** Null unless the isolation level is 1. */
        abortedTransactions: array(
          { nullable: '4+' },
          {
            producerId: int64(),
            firstOffset: offset(),
          },
        ),
        /** Replica in the consumer's rack to read from, -1 for the leader (KIP-392). */
        preferredReadReplica: int32({ versions: '11+', default: -1 }),
        records: records({ nullable: '0+' }),
      }),
    }),
    /** Addresses of the leaders named above (KIP-951). */
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
