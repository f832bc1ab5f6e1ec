/**
 * CreateAcls, API key 30, v1-3.
 *
 * Creates access control entries.
 *
 * Versions: v1 pattern type (KIP-290); v2 flexible; v3 user resource type.
 */
import { array, int16, int32, int8, message, string, type Infer } from '../schema.ts'

export const createAclsRequest = message({
  key: 30,
  name: 'CreateAclsRequest',
  kind: 'request',
  versions: '1-3',
  flexible: '2+',
  fields: {
    creations: array({
      resourceType: int8(),
      resourceName: string(),
      resourcePatternType: int8({ default: 3 }),
      principal: string(),
      host: string(),
      operation: int8(),
      permissionType: int8(),
    }),
  },
})
export type CreateAclsRequest = Infer<typeof createAclsRequest>

export const createAclsResponse = message({
  key: 30,
  name: 'CreateAclsResponse',
  kind: 'response',
  versions: '1-3',
  flexible: '2+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    results: array({
      errorCode: int16(),
      errorMessage: string({ nullable: '0+' }),
    }),
  },
})
export type CreateAclsResponse = Infer<typeof createAclsResponse>
