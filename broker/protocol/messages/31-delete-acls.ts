/**
 * DeleteAcls, API key 31, v1-3.
 *
 * Deletes the access control entries that match filters.
 *
 * Versions: v1 pattern type (KIP-290); v2 flexible; v3 user resource type.
 */
import { array, int16, int32, int8, message, string, type Infer } from '../schema.ts'

export const deleteAclsRequest = message({
  key: 31,
  name: 'DeleteAclsRequest',
  kind: 'request',
  versions: '1-3',
  flexible: '2+',
  fields: {
    filters: array({
      resourceTypeFilter: int8(),
      resourceNameFilter: string({ nullable: '0+' }),
      /** 1 any, 2 match, 3 literal, 4 prefixed (KIP-290). */
      patternTypeFilter: int8({ default: 3 }),
      principalFilter: string({ nullable: '0+' }),
      hostFilter: string({ nullable: '0+' }),
      operation: int8(),
      permissionType: int8(),
    }),
  },
})
export type DeleteAclsRequest = Infer<typeof deleteAclsRequest>

export const deleteAclsResponse = message({
  key: 31,
  name: 'DeleteAclsResponse',
  kind: 'response',
  versions: '1-3',
  flexible: '2+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    filterResults: array({
      errorCode: int16(),
      errorMessage: string({ nullable: '0+' }),
      matchingAcls: array({
        errorCode: int16(),
        errorMessage: string({ nullable: '0+' }),
        resourceType: int8(),
        resourceName: string(),
        /** 3 literal, 4 prefixed; in filters also 1 any, 2 match (KIP-290). */
        patternType: int8({ default: 3 }),
        principal: string(),
        host: string(),
        operation: int8(),
        permissionType: int8(),
      }),
    }),
  },
})
export type DeleteAclsResponse = Infer<typeof deleteAclsResponse>
