/**
 * ListOffsets, API key 2, v1-11.
 */
import { array, int16, int32, int8, message, offset, string, type Infer } from '../schema.ts'

export const listOffsetsRequest = message({
  key: 2,
  name: 'ListOffsetsRequest',
  kind: 'request',
  versions: '1-11',
  flexible: '6+',
  fields: {
    replicaId: int32(),
    isolationLevel: int8({ versions: '2+' }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        currentLeaderEpoch: int32({ versions: '4+', default: -1, ignorable: true }),
        timestamp: offset(),
      }),
    }),
    timeoutMs: int32({ versions: '10+', ignorable: true }),
  },
})
export type ListOffsetsRequest = Infer<typeof listOffsetsRequest>

export const listOffsetsResponse = message({
  key: 2,
  name: 'ListOffsetsResponse',
  kind: 'response',
  versions: '1-11',
  flexible: '6+',
  fields: {
    throttleTimeMs: int32({ versions: '2+', ignorable: true }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        timestamp: offset({ default: -1 }),
        offset: offset({ default: -1 }),
        leaderEpoch: int32({ versions: '4+', default: -1 }),
      }),
    }),
  },
})
export type ListOffsetsResponse = Infer<typeof listOffsetsResponse>
