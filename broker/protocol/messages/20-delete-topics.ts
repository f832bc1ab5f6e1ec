/**
 * DeleteTopics, API key 20, v1-6.
 *
 * Deletes topics.
 *
 * Versions: v4 flexible; v5 error message (KIP-599); v6 by topic id (KIP-516).
 */
import { array, int16, int32, message, string, uuid, type Infer } from '../schema.ts'

export const deleteTopicsRequest = message({
  key: 20,
  name: 'DeleteTopicsRequest',
  kind: 'request',
  versions: '1-6',
  flexible: '4+',
  fields: {
    topics: array(
      { versions: '6+' },
      {
        name: string({ nullable: '6+', default: null }),
        topicId: uuid(),
      },
    ),
    topicNames: array({ versions: '0-5', ignorable: true }, string()),
    timeoutMs: int32(),
  },
})
export type DeleteTopicsRequest = Infer<typeof deleteTopicsRequest>

export const deleteTopicsResponse = message({
  key: 20,
  name: 'DeleteTopicsResponse',
  kind: 'response',
  versions: '1-6',
  flexible: '4+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    responses: array({
      name: string({ nullable: '6+' }),
      topicId: uuid({ versions: '6+', ignorable: true }),
      errorCode: int16(),
      errorMessage: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
    }),
  },
})
export type DeleteTopicsResponse = Infer<typeof deleteTopicsResponse>
