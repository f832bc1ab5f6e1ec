/**
 * PartitionRecord: metadata record type 3.
 */
import { array, int32, int8, message, uuid, type Infer } from '../../schema.ts'

export const partitionRecord = message({
  key: 3,
  name: 'PartitionRecord',
  kind: 'data',
  versions: '0-2',
  flexible: '0+',
  fields: {
    partitionId: int32({ default: -1 }),
    topicId: uuid(),
    replicas: array(int32()),
    isr: array(int32()),
    removingReplicas: array(int32()),
    addingReplicas: array(int32()),
    leader: int32({ default: -1 }),
    leaderRecoveryState: int8({ tag: 0, default: 0 }),
    leaderEpoch: int32({ default: -1 }),
    partitionEpoch: int32({ default: -1 }),
    directories: array({ versions: '1+' }, uuid()),
    eligibleLeaderReplicas: array({ versions: '2+', nullable: '2+', tag: 1, default: null }, int32()),
    lastKnownElr: array({ versions: '2+', nullable: '2+', tag: 2, default: null }, int32()),
  },
})
export type PartitionRecord = Infer<typeof partitionRecord>
