/**
 * An access control entry has been deleted (KIP-801).
 */
import { message, uuid, type Infer } from '../../schema.ts'

export const removeAccessControlEntryRecord = message({
  key: 19,
  name: 'RemoveAccessControlEntryRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    id: uuid(),
  },
})
export type RemoveAccessControlEntryRecord = Infer<typeof removeAccessControlEntryRecord>
