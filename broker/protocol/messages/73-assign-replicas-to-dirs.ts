/**
 * AssignReplicasToDirs, API key 73, v0.
 */
import { array, int16, int32, message, offset, uuid, type Infer } from '../schema.ts'

export const assignReplicasToDirsRequest = message({
  key: 73,
  name: 'AssignReplicasToDirsRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    brokerId: int32(),
    brokerEpoch: offset({ default: -1 }),
    directories: array({
      id: uuid(),
      topics: array({
        topicId: uuid(),
        partitions: array({
          partitionIndex: int32(),
        }),
      }),
    }),
  },
})
export type AssignReplicasToDirsRequest = Infer<typeof assignReplicasToDirsRequest>

export const assignReplicasToDirsResponse = message({
  key: 73,
  name: 'AssignReplicasToDirsResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    directories: array({
      id: uuid(),
      topics: array({
        topicId: uuid(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
        }),
      }),
    }),
  },
})
export type AssignReplicasToDirsResponse = Infer<typeof assignReplicasToDirsResponse>
