/**
 * DescribeClientQuotas, API key 48, v0-1.
 *
 * Client quotas that match a filter (KIP-546).
 *
 * Versions: v1 flexible.
 */
import { array, bool, float64, int16, int32, int8, message, string, type Infer } from '../schema.ts'

export const describeClientQuotasRequest = message({
  key: 48,
  name: 'DescribeClientQuotasRequest',
  kind: 'request',
  versions: '0-1',
  flexible: '1+',
  fields: {
    components: array({
      entityType: string(),
      matchType: int8(),
      match: string({ nullable: '0+' }),
    }),
    strict: bool(),
  },
})
export type DescribeClientQuotasRequest = Infer<typeof describeClientQuotasRequest>

export const describeClientQuotasResponse = message({
  key: 48,
  name: 'DescribeClientQuotasResponse',
  kind: 'response',
  versions: '0-1',
  flexible: '1+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
    entries: array(
      { nullable: '0+' },
      {
        entity: array({
          entityType: string(),
          entityName: string({ nullable: '0+' }),
        }),
        values: array({
          key: string(),
          value: float64(),
        }),
      },
    ),
  },
})
export type DescribeClientQuotasResponse = Infer<typeof describeClientQuotasResponse>
