/**
 * AlterConfigs, API key 33, v0-2.
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
