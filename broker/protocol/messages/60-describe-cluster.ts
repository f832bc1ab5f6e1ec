/**
 * DescribeCluster, API key 60, v0-2.
 */
import { array, bool, int16, int32, int8, message, string, type Infer } from '../schema.ts'

export const describeClusterRequest = message({
  key: 60,
  name: 'DescribeClusterRequest',
  kind: 'request',
  versions: '0-2',
  flexible: '0+',
  fields: {
    includeClusterAuthorizedOperations: bool(),
    endpointType: int8({ versions: '1+', default: 1 }),
    includeFencedBrokers: bool({ versions: '2+' }),
  },
})
export type DescribeClusterRequest = Infer<typeof describeClusterRequest>

export const describeClusterResponse = message({
  key: 60,
  name: 'DescribeClusterResponse',
  kind: 'response',
  versions: '0-2',
  flexible: '0+',
  fields: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', default: null }),
    endpointType: int8({ versions: '1+', default: 1 }),
    clusterId: string(),
    controllerId: int32({ default: -1 }),
    brokers: array({
      brokerId: int32(),
      host: string(),
      port: int32(),
      rack: string({ nullable: '0+', default: null }),
      isFenced: bool({ versions: '2+' }),
    }),
    clusterAuthorizedOperations: int32({ default: -2147483648 }),
  },
})
export type DescribeClusterResponse = Infer<typeof describeClusterResponse>
