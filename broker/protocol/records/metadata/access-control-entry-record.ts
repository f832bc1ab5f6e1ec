/**
 * AccessControlEntryRecord: metadata record type 18.
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
    patternType: int8(),
    principal: string(),
    host: string(),
    operation: int8(),
    permissionType: int8(),
  },
})
export type AccessControlEntryRecord = Infer<typeof accessControlEntryRecord>
