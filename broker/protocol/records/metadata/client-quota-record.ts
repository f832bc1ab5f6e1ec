/**
 * A client quota has been set or removed (KIP-546).
 */
import { array, bool, float64, message, string, type Infer } from '../../schema.ts'

export const clientQuotaRecord = message({
  key: 14,
  name: 'ClientQuotaRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    entity: array({
      entityType: string(),
      entityName: string({ nullable: '0+' }),
    }),
    key: string(),
    value: float64(),
    remove: bool(),
  },
})
export type ClientQuotaRecord = Infer<typeof clientQuotaRecord>
