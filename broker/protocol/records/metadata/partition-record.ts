/**
 * The full state of one partition.
 *
 * Versions: v1 log directories (KIP-858); v2 eligible leaders (KIP-966).
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
    /** Replicas that a reassignment removes. */
    removingReplicas: array(int32()),
    /** Replicas that a reassignment adds. */
    addingReplicas: array(int32()),
    leader: int32({ default: -1 }),
    /** 0 recovered, 1 recovering after an unclean election (KIP-704). */
    leaderRecoveryState: int8({ tag: 0, default: 0 }),
    leaderEpoch: int32({ default: -1 }),
    /** Counts every change of the partition's state, not only of its leader. */
    partitionEpoch: int32({ default: -1 }),
    /** Id of the log directory of each replica, in the order of `replicas` (KIP-858). */
    directories: array({ versions: '1+' }, uuid()),
    /** Replicas outside the in-sync set that still hold everything up to the high watermark (KIP-966). */
    eligibleLeaderReplicas: array({ versions: '2+', nullable: '2+', tag: 1, default: null }, int32()),
    /** Members that left the eligible set with an unclean shutdown (KIP-966). */
    lastKnownElr: array({ versions: '2+', nullable: '2+', tag: 2, default: null }, int32()),
  },
})
export type PartitionRecord = Infer<typeof partitionRecord>
