/**
 * ElectLeaders, API key 43, v0-2.
 *
 * Elects the preferred leader, or an unclean one (KIP-183, KIP-460).
 *
 * Versions: v1 election type; v2 flexible.
 */
import { array, int16, int32, int8, message, string, type Infer } from '../schema.ts'

export const electLeadersRequest = message({
  key: 43,
  name: 'ElectLeadersRequest',
  kind: 'request',
  versions: '0-2',
  flexible: '2+',
  fields: {
    /** 0 preferred, 1 unclean. */
    electionType: int8({ versions: '1+' }),
    /** Null for all partitions. */
    topicPartitions: array(
      { nullable: '0+' },
      {
        topic: string(),
        partitions: array(int32()),
      },
    ),
    timeoutMs: int32({ default: 60000 }),
  },
})
export type ElectLeadersRequest = Infer<typeof electLeadersRequest>

export const electLeadersResponse = message({
  key: 43,
  name: 'ElectLeadersResponse',
  kind: 'response',
  versions: '0-2',
  flexible: '2+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16({ versions: '1+' }),
    replicaElectionResults: array({
      topic: string(),
      partitionResult: array({
        partitionId: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+' }),
      }),
    }),
  },
})
export type ElectLeadersResponse = Infer<typeof electLeadersResponse>
