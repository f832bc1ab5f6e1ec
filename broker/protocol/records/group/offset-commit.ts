/**
 * OffsetCommit: record type 1 of the group coordinator.
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
    leaderEpoch: int32({ versions: '3+', default: -1, ignorable: true }),
    metadata: string(),
    commitTimestamp: offset(),
    expireTimestamp: offset({ versions: '1', default: -1, ignorable: true }),
    topicId: uuid({ versions: '4+', tag: 0, ignorable: true }),
  },
})
export type OffsetCommitValue = Infer<typeof offsetCommitValue>
