/**
 * Where the migration from ZooKeeper stands; only read, as part of old logs (KIP-866).
 */
import { int8, message, type Infer } from '../../schema.ts'

export const zkMigrationStateRecord = message({
  key: 21,
  name: 'ZkMigrationStateRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    zkMigrationState: int8(),
  },
})
export type ZkMigrationStateRecord = Infer<typeof zkMigrationStateRecord>
