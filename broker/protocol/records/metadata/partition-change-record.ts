/**
 * What changed in the state of one partition; everything else keeps its value.
 *
 * The partition epoch counts up with each of these, the leader epoch only when `leader` is set. Versions: v1 log directories (KIP-858); v2
 * eligible leaders (KIP-966).
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
    /** Null, as everywhere in this record: unchanged. */
    isr: array({ nullable: '0+', tag: 0, default: null }, int32()),
    /** -1 no leader, -2 unchanged. */
    leader: int32({ tag: 1, default: -2 }),
    replicas: array({ nullable: '0+', tag: 2, default: null }, int32()),
    /** Replicas that a reassignment removes. */
    removingReplicas: array({ nullable: '0+', tag: 3, default: null }, int32()),
    /** Replicas that a reassignment adds. */
    addingReplicas: array({ nullable: '0+', tag: 4, default: null }, int32()),
    /** -1 unchanged. */
    leaderRecoveryState: int8({ tag: 5, default: -1 }),
    /** Id of the log directory of each replica, in the order of `replicas` (KIP-858). */
    directories: array({ versions: '1+', nullable: '1+', tag: 8, default: null }, uuid()),
    /** Replicas outside the in-sync set that still hold everything up to the high watermark (KIP-966). */
    eligibleLeaderReplicas: array({ versions: '2+', nullable: '2+', tag: 6, default: null }, int32()),
    /** Members that left the eligible set with an unclean shutdown (KIP-966). */
    lastKnownElr: array({ versions: '2+', nullable: '2+', tag: 7, default: null }, int32()),
  },
})
export type PartitionChangeRecord = Infer<typeof partitionChangeRecord>
