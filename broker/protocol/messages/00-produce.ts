/**
 * Produce, API key 0, v3-13.
 */
import { array, int16, int32, message, offset, records, string, struct, uuid, type Infer } from '../schema.ts'

export const produceRequest = message({
  key: 0,
  name: 'ProduceRequest',
  kind: 'request',
  versions: '3-13',
  flexible: '9+',
  fields: {
    transactionalId: string({ nullable: '3+', default: null }),
    acks: int16(),
    timeoutMs: int32(),
    topicData: array({
      name: string({ versions: '0-12', ignorable: true }),
      topicId: uuid({ versions: '13+', ignorable: true }),
      partitionData: array({
        index: int32(),
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
        baseOffset: offset(),
        logAppendTimeMs: offset({ default: -1 }),
        logStartOffset: offset({ versions: '5+', default: -1, ignorable: true }),
        recordErrors: array(
          { versions: '8+', ignorable: true },
          {
            batchIndex: int32(),
            batchIndexErrorMessage: string({ nullable: '8+', default: null }),
          },
        ),
        errorMessage: string({ versions: '8+', nullable: '8+', default: null, ignorable: true }),
        currentLeader: struct(
          { versions: '10+', tag: 0 },
          {
            leaderId: int32({ default: -1 }),
            leaderEpoch: int32({ default: -1 }),
          },
        ),
      }),
    }),
    throttleTimeMs: int32({ default: 0 }),
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
