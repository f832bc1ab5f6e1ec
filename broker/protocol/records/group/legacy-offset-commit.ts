/**
 * A committed offset as old brokers wrote it; only read. Record type 0 of __consumer_offsets.
 */
import { int32, message, offset, string, type Infer } from '../../schema.ts'

export const legacyOffsetCommitKey = message({
  key: 0,
  name: 'LegacyOffsetCommitKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    group: string(),
    topic: string(),
    partition: int32(),
  },
})
export type LegacyOffsetCommitKey = Infer<typeof legacyOffsetCommitKey>

export const legacyOffsetCommitValue = message({
  key: 0,
  name: 'LegacyOffsetCommitValue',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    offset: offset(),
    metadata: string(),
    commitTimestamp: offset(),
  },
})
export type LegacyOffsetCommitValue = Infer<typeof legacyOffsetCommitValue>
