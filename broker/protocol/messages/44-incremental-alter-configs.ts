/**
 * IncrementalAlterConfigs, API key 44, v0-1.
 *
 * Sets, deletes, appends to or subtracts from single settings (KIP-339).
 *
 * Versions: v1 flexible.
 */
import { array, bool, int16, int32, int8, message, string, type Infer } from '../schema.ts'

export const incrementalAlterConfigsRequest = message({
  key: 44,
  name: 'IncrementalAlterConfigsRequest',
  kind: 'request',
  versions: '0-1',
  flexible: '1+',
  fields: {
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      configs: array({
        name: string(),
        /** 0 set, 1 delete, 2 append, 3 subtract. */
        configOperation: int8(),
        value: string({ nullable: '0+' }),
      }),
    }),
    /** Check, but change nothing. */
    validateOnly: bool(),
  },
})
export type IncrementalAlterConfigsRequest = Infer<typeof incrementalAlterConfigsRequest>

export const incrementalAlterConfigsResponse = message({
  key: 44,
  name: 'IncrementalAlterConfigsResponse',
  kind: 'response',
  versions: '0-1',
  flexible: '1+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    responses: array({
      errorCode: int16(),
      errorMessage: string({ nullable: '0+' }),
      resourceType: int8(),
      resourceName: string(),
    }),
  },
})
export type IncrementalAlterConfigsResponse = Infer<typeof incrementalAlterConfigsResponse>
