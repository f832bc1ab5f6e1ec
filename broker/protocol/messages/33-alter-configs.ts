/**
 * AlterConfigs, API key 33, v0-2.
 *
 * Replaces all settings of a resource; superseded by IncrementalAlterConfigs, which cannot reset what it does not name.
 *
 * Versions: v2 flexible.
 */
import { array, bool, int16, int32, int8, message, string, type Infer } from '../schema.ts'

export const alterConfigsRequest = message({
  key: 33,
  name: 'AlterConfigsRequest',
  kind: 'request',
  versions: '0-2',
  flexible: '2+',
  fields: {
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      configs: array({
        name: string(),
        value: string({ nullable: '0+' }),
      }),
    }),
    /** Check, but change nothing. */
    validateOnly: bool(),
  },
})
export type AlterConfigsRequest = Infer<typeof alterConfigsRequest>

export const alterConfigsResponse = message({
  key: 33,
  name: 'AlterConfigsResponse',
  kind: 'response',
  versions: '0-2',
  flexible: '2+',
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
export type AlterConfigsResponse = Infer<typeof alterConfigsResponse>
