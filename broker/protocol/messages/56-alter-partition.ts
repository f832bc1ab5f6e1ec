/**
 * AlterPartition, API key 56, v2-3.
 *
 * A leader proposes a new in-sync set to the controller (KIP-497).
 *
 * Versions: v2 topic ids; v3 in-sync replicas with their broker epochs (KIP-903).
 */
import { array, int16, int32, int8, message, offset, uuid, type Infer } from '../schema.ts'

export const alterPartitionRequest = message({
  key: 56,
  name: 'AlterPartitionRequest',
  kind: 'request',
  versions: '2-3',
  flexible: '0+',
  fields: {
    brokerId: int32(),
    /** Offset of the broker's registration record; fences earlier lives of the broker. */
    brokerEpoch: offset({ default: -1 }),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partitionIndex: int32(),
        leaderEpoch: int32(),
        newIsr: array({ versions: '0-2' }, int32()),
        /** With broker epochs, so that a restarted follower cannot slip in (KIP-903). */
        newIsrWithEpochs: array(
          { versions: '3+' },
          {
            brokerId: int32(),
            /** Offset of the broker's registration record; fences earlier lives of the broker. */
            brokerEpoch: offset({ default: -1 }),
          },
        ),
        /** 0 recovered, 1 recovering after an unclean election (KIP-704). */
        leaderRecoveryState: int8({ default: 0 }),
        /** Version of the partition's state that the change starts from. */
        partitionEpoch: int32(),
      }),
    }),
  },
})
export type AlterPartitionRequest = Infer<typeof alterPartitionRequest>

export const alterPartitionResponse = message({
  key: 56,
  name: 'AlterPartitionResponse',
  kind: 'response',
  versions: '2-3',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        leaderId: int32(),
        leaderEpoch: int32(),
        isr: array(int32()),
        /** 0 recovered, 1 recovering after an unclean election (KIP-704). */
        leaderRecoveryState: int8({ default: 0 }),
        /** Counts every change of the partition's state, not only of its leader. */
        partitionEpoch: int32(),
      }),
    }),
  },
})
export type AlterPartitionResponse = Infer<typeof alterPartitionResponse>
