/**
 * PartitionChangeRecord: metadata record type 5.
 */
import { array, int32, int8, message, uuid, type Infer } from '../../schema.ts'

export const partitionChangeRecord = message({
  key: 5,
  name: 'PartitionChangeRecord',
  kind: 'data',
  versions: '0-2',
  flexible: '0+',
  fields: {
    partitionId: int32({ default: -1 }),
    topicId: uuid(),
    isr: array({ nullable: '0+', tag: 0, default: null }, int32()),
    leader: int32({ tag: 1, default: -2 }),
    replicas: array({ nullable: '0+', tag: 2, default: null }, int32()),
    removingReplicas: array({ nullable: '0+', tag: 3, default: null }, int32()),
    addingReplicas: array({ nullable: '0+', tag: 4, default: null }, int32()),
    leaderRecoveryState: int8({ tag: 5, default: -1 }),
    directories: array({ versions: '1+', nullable: '1+', tag: 8, default: null }, uuid()),
    eligibleLeaderReplicas: array({ versions: '2+', nullable: '2+', tag: 6, default: null }, int32()),
    lastKnownElr: array({ versions: '2+', nullable: '2+', tag: 7, default: null }, int32()),
  },
})
export type PartitionChangeRecord = Infer<typeof partitionChangeRecord>
