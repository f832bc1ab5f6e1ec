/**
 * AssignReplicasToDirs, API key 73, v0.
 *
 * A broker tells the controller in which log directories its replicas lie (KIP-858).
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
    /** Offset of the broker's registration record; fences earlier lives of the broker. */
    brokerEpoch: offset({ default: -1 }),
    /** Id of the log directory of each replica, in the order of `replicas` (KIP-858). */
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
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    /** Id of the log directory of each replica, in the order of `replicas` (KIP-858). */
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
