/**
 * A committed offset; a null value deletes it. Record type 1 of __consumer_offsets.
 *
 * Versions of the value: v1 expiry; v3 leader epoch (KIP-320); v4 topic id (KIP-1092).
 */
import { int32, message, offset, string, uuid, type Infer } from '../../schema.ts'

export const offsetCommitKey = message({
  key: 1,
  name: 'OffsetCommitKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    group: string(),
    topic: string(),
    partition: int32(),
  },
})
export type OffsetCommitKey = Infer<typeof offsetCommitKey>

export const offsetCommitValue = message({
  key: 1,
  name: 'OffsetCommitValue',
  kind: 'data',
  versions: '0-4',
  flexible: '4+',
  fields: {
    offset: offset(),
    /** -1 when the consumer did not say. */
    leaderEpoch: int32({ versions: '3+', default: -1, ignorable: true }),
    metadata: string(),
    commitTimestamp: offset(),
    /** -1 for the broker's own retention; v1 only. */
    expireTimestamp: offset({ versions: '1', default: -1, ignorable: true }),
    topicId: uuid({ versions: '4+', tag: 0, ignorable: true }),
  },
})
export type OffsetCommitValue = Infer<typeof offsetCommitValue>
