/**
 * Produce, API key 0, v3-13.
 *
 * Appends record batches to partitions. acks 0 gets no response at all.
 *
 * Versions: v3 batch format v2, transactional id (KIP-98); v5 log start offset in the response; v7 zstd (KIP-110); v8 errors per record
 * (KIP-467); v9 flexible (KIP-482); v10 leader hints in the response (KIP-951); v12 adds the partition to the transaction (KIP-890);
 * v13 topic ids instead of names (KIP-516). v0-2 are advertised but refused (KAFKA-18659).
 */
import { array, int16, int32, message, offset, records, string, struct, uuid, type Infer } from '../schema.ts'

export const produceRequest = message({
  key: 0,
  name: 'ProduceRequest',
  kind: 'request',
  versions: '3-13',
  flexible: '9+',
  fields: {
    /** Null when the producer is not transactional. */
    transactionalId: string({ nullable: '3+', default: null }),
    /** 0: no answer; 1: the leader has it; -1: all in-sync replicas have it. */
    acks: int16(),
    timeoutMs: int32(),
    topicData: array({
      name: string({ versions: '0-12', ignorable: true }),
      topicId: uuid({ versions: '13+', ignorable: true }),
      partitionData: array({
        index: int32(),
        /** Exactly one batch per partition. */
        records: records({ nullable: '0+' }),
      }),
    }),
  },
})
export type ProduceRequest = Infer<typeof produceRequest>

export const produceResponse = message({
  key: 0,
  name: 'ProduceResponse',
  kind: 'response',
  versions: '3-13',
  flexible: '9+',
  fields: {
    responses: array({
      name: string({ versions: '0-12', ignorable: true }),
      topicId: uuid({ versions: '13+', ignorable: true }),
      partitionResponses: array({
        index: int32(),
        errorCode: int16(),
        /** Offset of the first record of the batch. */
        baseOffset: offset(),
        /** -1 with CreateTime. */
        logAppendTimeMs: offset({ default: -1 }),
        logStartOffset: offset({ versions: '5+', default: -1, ignorable: true }),
        /** Which records of a rejected batch were at fault (KIP-467). */
        recordErrors: array(
          { versions: '8+', ignorable: true },
          {
            /** Index of the record within the batch. */
            batchIndex: int32(),
            batchIndexErrorMessage: string({ nullable: '8+', default: null }),
          },
        ),
        errorMessage: string({ versions: '8+', nullable: '8+', default: null, ignorable: true }),
        /** Where to go instead; set with NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH (KIP-951). */
        currentLeader: struct(
          { versions: '10+', tag: 0 },
          {
            leaderId: int32({ default: -1 }),
            leaderEpoch: int32({ default: -1 }),
          },
        ),
      }),
    }),
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    /** Addresses of the leaders named above (KIP-951). */
    nodeEndpoints: array(
      { versions: '10+', tag: 0 },
      {
        nodeId: int32(),
        host: string(),
        port: int32(),
        rack: string({ nullable: '10+', default: null }),
      },
    ),
  },
})
export type ProduceResponse = Infer<typeof produceResponse>
