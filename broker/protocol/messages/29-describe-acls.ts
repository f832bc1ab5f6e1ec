/**
 * DescribeAcls, API key 29, v1-3.
 *
 * Access control entries that match a filter.
 *
 * Versions: v1 pattern type (KIP-290); v2 flexible; v3 user resource type.
 */
import { array, int16, int32, int8, message, string, type Infer } from '../schema.ts'

export const describeAclsRequest = message({
  key: 29,
  name: 'DescribeAclsRequest',
  kind: 'request',
  versions: '1-3',
  flexible: '2+',
  fields: {
    resourceTypeFilter: int8(),
    resourceNameFilter: string({ nullable: '0+' }),
    /** 1 any, 2 match, 3 literal, 4 prefixed (KIP-290). */
    patternTypeFilter: int8({ default: 3 }),
    principalFilter: string({ nullable: '0+' }),
    hostFilter: string({ nullable: '0+' }),
    operation: int8(),
    permissionType: int8(),
  },
})
export type DescribeAclsRequest = Infer<typeof describeAclsRequest>

export const describeAclsResponse = message({
  key: 29,
  name: 'DescribeAclsResponse',
  kind: 'response',
  versions: '1-3',
  flexible: '2+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      /** 3 literal, 4 prefixed; in filters also 1 any, 2 match (KIP-290). */
      patternType: int8({ default: 3 }),
      acls: array({
        principal: string(),
        host: string(),
        operation: int8(),
        permissionType: int8(),
      }),
    }),
  },
})
export type DescribeAclsResponse = Infer<typeof describeAclsResponse>
