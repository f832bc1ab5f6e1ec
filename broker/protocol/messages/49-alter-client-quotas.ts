/**
 * AlterClientQuotas, API key 49, v0-1.
 *
 * Sets and removes client quotas (KIP-546).
 *
 * Versions: v1 flexible.
 */
import { array, bool, float64, int16, int32, message, string, type Infer } from '../schema.ts'

export const alterClientQuotasRequest = message({
  key: 49,
  name: 'AlterClientQuotasRequest',
  kind: 'request',
  versions: '0-1',
  flexible: '1+',
  fields: {
    entries: array({
      entity: array({
        entityType: string(),
        entityName: string({ nullable: '0+' }),
      }),
      ops: array({
        key: string(),
        value: float64(),
        remove: bool(),
      }),
    }),
    /** Check, but change nothing. */
    validateOnly: bool(),
  },
})
export type AlterClientQuotasRequest = Infer<typeof alterClientQuotasRequest>

export const alterClientQuotasResponse = message({
  key: 49,
  name: 'AlterClientQuotasResponse',
  kind: 'response',
  versions: '0-1',
  flexible: '1+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    entries: array({
      errorCode: int16(),
      errorMessage: string({ nullable: '0+' }),
      entity: array({
        entityType: string(),
        entityName: string({ nullable: '0+' }),
      }),
    }),
  },
})
export type AlterClientQuotasResponse = Infer<typeof alterClientQuotasResponse>
