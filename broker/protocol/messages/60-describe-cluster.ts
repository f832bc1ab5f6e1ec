/**
 * DescribeCluster, API key 60, v0-2.
 *
 * Nodes of the cluster, without its topics (KIP-700).
 *
 * Versions: v1 may ask for controllers (KIP-919); v2 fenced brokers (KIP-1073).
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
    /** How long the client was, or should be, held back for a quota, ms. */
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
    /** Bit field; -2147483648 when not asked for (KIP-430). */
    clusterAuthorizedOperations: int32({ default: -2147483648 }),
  },
})
export type DescribeClusterResponse = Infer<typeof describeClusterResponse>
