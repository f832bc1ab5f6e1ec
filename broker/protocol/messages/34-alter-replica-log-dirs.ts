/**
 * AlterReplicaLogDirs, API key 34, v1-2.
 *
 * Moves replicas between the log directories of one broker (KIP-113).
 *
 * Versions: v2 flexible.
 */
import { array, int16, int32, message, string, type Infer } from '../schema.ts'

export const alterReplicaLogDirsRequest = message({
  key: 34,
  name: 'AlterReplicaLogDirsRequest',
  kind: 'request',
  versions: '1-2',
  flexible: '2+',
  fields: {
    dirs: array({
      path: string(),
      topics: array({
        name: string(),
        partitions: array(int32()),
      }),
    }),
  },
})
export type AlterReplicaLogDirsRequest = Infer<typeof alterReplicaLogDirsRequest>

export const alterReplicaLogDirsResponse = message({
  key: 34,
  name: 'AlterReplicaLogDirsResponse',
  kind: 'response',
  versions: '1-2',
  flexible: '2+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    results: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
})
export type AlterReplicaLogDirsResponse = Infer<typeof alterReplicaLogDirsResponse>
