/**
 * CreateTopics, API key 19, v2-7.
 *
 * Creates topics.
 *
 * Versions: v4 -1 for the broker's defaults (KIP-464); v5 flexible, configs in the response (KIP-525); v7 topic id (KIP-516).
 */
import { array, bool, int16, int32, int8, message, string, uuid, type Infer } from '../schema.ts'

export const createTopicsRequest = message({
  key: 19,
  name: 'CreateTopicsRequest',
  kind: 'request',
  versions: '2-7',
  flexible: '5+',
  fields: {
    topics: array({
      name: string(),
      /** -1 with an explicit assignment, or for the default (KIP-464). */
      numPartitions: int32(),
      /** -1 with an explicit assignment, or for the default (KIP-464). */
      replicationFactor: int16(),
      assignments: array({
        partitionIndex: int32(),
        brokerIds: array(int32()),
      }),
      configs: array({
        name: string(),
        value: string({ nullable: '0+' }),
      }),
    }),
    /** How long to wait for the topic to exist. */
    timeoutMs: int32({ default: 60000 }),
    validateOnly: bool({ default: false }),
  },
})
export type CreateTopicsRequest = Infer<typeof createTopicsRequest>

export const createTopicsResponse = message({
  key: 19,
  name: 'CreateTopicsResponse',
  kind: 'response',
  versions: '2-7',
  flexible: '5+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    topics: array({
      name: string(),
      topicId: uuid({ versions: '7+', ignorable: true }),
      errorCode: int16(),
      errorMessage: string({ nullable: '0+' }),
      topicConfigErrorCode: int16({ versions: '5+', tag: 0, ignorable: true }),
      numPartitions: int32({ versions: '5+', default: -1, ignorable: true }),
      replicationFactor: int16({ versions: '5+', default: -1, ignorable: true }),
      configs: array(
        { versions: '5+', nullable: '5+', ignorable: true },
        {
          name: string(),
          value: string({ nullable: '5+' }),
          readOnly: bool(),
          configSource: int8({ default: -1 }),
          isSensitive: bool(),
        },
      ),
    }),
  },
})
export type CreateTopicsResponse = Infer<typeof createTopicsResponse>
