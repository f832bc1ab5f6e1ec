/**
 * Metadata, API key 3, v0-13.
 *
 * Brokers, controller and partitions of topics.
 *
 * Versions: v1 null asks for all topics (in v0 an empty list does), racks, controller; v2 cluster id; v4 auto creation switchable; v7 leader epochs
 * (KIP-320); v8 authorized operations (KIP-430); v9 flexible; v10 topic ids (KIP-516); v12 look-up by topic id alone; v13 top-level error code
 * (KIP-1102).
 */
import { array, bool, int16, int32, message, string, uuid, type Infer } from '../schema.ts'

export const metadataRequest = message({
  key: 3,
  name: 'MetadataRequest',
  kind: 'request',
  versions: '0-13',
  flexible: '9+',
  fields: {
    /** Null: all topics. Empty: none, but in v0 all. */
    topics: array(
      { nullable: '1+' },
      {
        topicId: uuid({ versions: '10+', ignorable: true }),
        name: string({ nullable: '10+' }),
      },
    ),
    /** Create missing topics when the broker is set up to. */
    allowAutoTopicCreation: bool({ versions: '4+', default: true }),
    includeClusterAuthorizedOperations: bool({ versions: '8-10' }),
    includeTopicAuthorizedOperations: bool({ versions: '8+' }),
  },
})
export type MetadataRequest = Infer<typeof metadataRequest>

export const metadataResponse = message({
  key: 3,
  name: 'MetadataResponse',
  kind: 'response',
  versions: '0-13',
  flexible: '9+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ versions: '3+', ignorable: true }),
    brokers: array({
      nodeId: int32(),
      host: string(),
      port: int32(),
      rack: string({ versions: '1+', nullable: '1+', default: null, ignorable: true }),
    }),
    clusterId: string({ versions: '2+', nullable: '2+', default: null, ignorable: true }),
    /** A random live broker: clients send controller requests there and it forwards them. */
    controllerId: int32({ versions: '1+', default: -1, ignorable: true }),
    topics: array({
      errorCode: int16(),
      name: string({ nullable: '12+' }),
      topicId: uuid({ versions: '10+', ignorable: true }),
      isInternal: bool({ versions: '1+', default: false, ignorable: true }),
      partitions: array({
        errorCode: int16(),
        partitionIndex: int32(),
        leaderId: int32(),
        leaderEpoch: int32({ versions: '7+', default: -1, ignorable: true }),
        replicaNodes: array(int32()),
        isrNodes: array(int32()),
        /** Replicas on dead brokers or failed disks. */
        offlineReplicas: array({ versions: '5+', ignorable: true }, int32()),
      }),
      /** Bit field; -2147483648 when not asked for (KIP-430). */
      topicAuthorizedOperations: int32({ versions: '8+', default: -2147483648 }),
    }),
    /** Bit field; -2147483648 when not asked for (KIP-430). */
    clusterAuthorizedOperations: int32({ versions: '8-10', default: -2147483648 }),
    errorCode: int16({ versions: '13+', ignorable: true }),
  },
})
export type MetadataResponse = Infer<typeof metadataResponse>
