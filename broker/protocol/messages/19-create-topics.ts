/**
 * CreateTopics, API key 19, v2-7.
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
      numPartitions: int32(),
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
