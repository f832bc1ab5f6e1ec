/**
 * One setting of one resource has been set or deleted.
 */
import { int8, message, string, type Infer } from '../../schema.ts'

export const configRecord = message({
  key: 4,
  name: 'ConfigRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    resourceType: int8(),
    resourceName: string(),
    name: string(),
    /** Null deletes the setting. */
    value: string({ nullable: '0+' }),
  },
})
export type ConfigRecord = Infer<typeof configRecord>
