/**
 * DescribeAcls, API key 29, v1-3.
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
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
    resources: array({
      resourceType: int8(),
      resourceName: string(),
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
