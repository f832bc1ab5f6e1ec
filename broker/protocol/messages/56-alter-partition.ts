/**
 * AlterPartition, API key 56, v2-3.
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
    brokerEpoch: offset({ default: -1 }),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partitionIndex: int32(),
        leaderEpoch: int32(),
        newIsr: array({ versions: '0-2' }, int32()),
        newIsrWithEpochs: array(
          { versions: '3+' },
          {
            brokerId: int32(),
            brokerEpoch: offset({ default: -1 }),
          },
        ),
        leaderRecoveryState: int8({ default: 0 }),
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
        leaderRecoveryState: int8({ default: 0 }),
        partitionEpoch: int32(),
      }),
    }),
  },
})
export type AlterPartitionResponse = Infer<typeof alterPartitionResponse>
