/**
 * Words of access control: Kafka's operations, resource types, pattern types and permissions with their codes, which are the same on the
 * wire (KIP-140) and in metadata records. Only those a stored ACL may have; ANY, MATCH and UNKNOWN belong to filters.
 */
import type { ErrorName } from '../../protocol/errors.ts'

export const operationCodes = {
  All: 2,
  Read: 3,
  Write: 4,
  Create: 5,
  Delete: 6,
  Alter: 7,
  Describe: 8,
  ClusterAction: 9,
  DescribeConfigs: 10,
  AlterConfigs: 11,
  IdempotentWrite: 12,
  CreateTokens: 13,
  DescribeTokens: 14,
  TwoPhaseCommit: 15,
} as const
export type AclOperation = Exclude<keyof typeof operationCodes, 'All'>

export const resourceCodes = {
  Topic: 2,
  Group: 3,
  Cluster: 4,
  TransactionalId: 5,
  DelegationToken: 6,
  User: 7,
} as const
export type ResourceType = keyof typeof resourceCodes

/** What a client is told that lacks a right on such a resource. */
export const refusalOf: Readonly<Record<ResourceType, ErrorName>> = {
  Topic: 'TOPIC_AUTHORIZATION_FAILED',
  Group: 'GROUP_AUTHORIZATION_FAILED',
  Cluster: 'CLUSTER_AUTHORIZATION_FAILED',
  TransactionalId: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  DelegationToken: 'DELEGATION_TOKEN_AUTHORIZATION_FAILED',
  User: 'CLUSTER_AUTHORIZATION_FAILED',
}

/** The only resource of the type Cluster. */
export const clusterName = 'kafka-cluster'

/** The operations that make sense for a resource type: what "authorized operations" in responses may name (KIP-430). */
export const operationsOf: Readonly<Record<ResourceType, readonly AclOperation[]>> = {
  Topic: ['Read', 'Write', 'Create', 'Delete', 'Alter', 'Describe', 'DescribeConfigs', 'AlterConfigs'],
  Group: ['Read', 'Delete', 'Describe', 'DescribeConfigs', 'AlterConfigs'],
  Cluster: ['Create', 'Alter', 'Describe', 'ClusterAction', 'DescribeConfigs', 'AlterConfigs', 'IdempotentWrite'],
  TransactionalId: ['Write', 'Describe', 'TwoPhaseCommit'],
  DelegationToken: ['Describe'],
  User: ['CreateTokens', 'DescribeTokens'],
}

export const patternCodes = { Literal: 3, Prefixed: 4 } as const
export const permissionCodes = { Deny: 2, Allow: 3 } as const

/** As a pattern of the type literal: every resource. As a host: every host. */
export const wildcard = '*'
/** The principal of an entry that holds for everyone, of whatever type. */
export const wildcardPrincipal = 'User:*'

/** An access control entry with the resources it is about, all in codes as on the wire and in the metadata log. */
export interface AclBinding {
  readonly resourceType: number
  readonly resourceName: string
  readonly patternType: number
  readonly principal: string
  readonly host: string
  readonly operation: number
  readonly permissionType: number
}

/** The same for two entries that say the same. */
export function aclKey(acl: AclBinding): string {
  return JSON.stringify([
    acl.resourceType,
    acl.resourceName,
    acl.patternType,
    acl.principal,
    acl.host,
    acl.operation,
    acl.permissionType,
  ])
}
