/**
 * An access control entry has been created (KIP-801).
 */
import { int8, message, string, uuid, type Infer } from '../../schema.ts'

export const accessControlEntryRecord = message({
  key: 18,
  name: 'AccessControlEntryRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    id: uuid(),
    resourceType: int8(),
    resourceName: string(),
    /** 3 literal, 4 prefixed; in filters also 1 any, 2 match (KIP-290). */
    patternType: int8(),
    principal: string(),
    host: string(),
    operation: int8(),
    permissionType: int8(),
  },
})
export type AccessControlEntryRecord = Infer<typeof accessControlEntryRecord>
