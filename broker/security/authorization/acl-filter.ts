/**
 * Which access control entries a filter of DescribeAcls and DeleteAcls means, and which codes there are at all (KIP-140, KIP-290).
 *
 *   pattern type ANY      the name of the pattern itself, whatever its type
 *   pattern type MATCH    every pattern that a resource of this name falls under: its own, the wildcard, each prefix of it
 *   LITERAL, PREFIXED     patterns of this type with this name
 */
import { patternCodes, wildcard, type AclBinding } from './acl.ts'

export interface AclFilter {
  readonly resourceTypeFilter: number
  /** Null: any. */
  readonly resourceNameFilter: string | null
  readonly patternTypeFilter: number
  readonly principalFilter: string | null
  readonly hostFilter: string | null
  readonly operation: number
  readonly permissionType: number
}

/** 0 is UNKNOWN in every one of these enums, 1 is ANY, and the codes go up without a gap. */
export const unknownCode = 0
export const anyCode = 1
const matchCode = 2
const lastCode = { resourceType: 7, patternType: 4, operation: 15, permissionType: 3 }
export type AclField = keyof typeof lastCode

/** Names as Kafka's messages print them, by code. */
const names: Readonly<Record<AclField, readonly string[]>> = {
  resourceType: ['UNKNOWN', 'ANY', 'TOPIC', 'GROUP', 'CLUSTER', 'TRANSACTIONAL_ID', 'DELEGATION_TOKEN', 'USER'],
  patternType: ['UNKNOWN', 'ANY', 'MATCH', 'LITERAL', 'PREFIXED'],
  operation: [
    'UNKNOWN',
    'ANY',
    'ALL',
    'READ',
    'WRITE',
    'CREATE',
    'DELETE',
    'ALTER',
    'DESCRIBE',
    'CLUSTER_ACTION',
    'DESCRIBE_CONFIGS',
    'ALTER_CONFIGS',
    'IDEMPOTENT_WRITE',
    'CREATE_TOKENS',
    'DESCRIBE_TOKENS',
    'TWO_PHASE_COMMIT',
  ],
  permissionType: ['UNKNOWN', 'ANY', 'DENY', 'ALLOW'],
}

export function aclName(field: AclField, code: number): string {
  return names[field][code] ?? 'UNKNOWN'
}

/** A code that no version of Kafka we know gives a meaning to; UNKNOWN itself is one. */
export function isUnknown(field: AclField, code: number): boolean {
  return code <= unknownCode || code > lastCode[field]
}

export function matches(filter: AclFilter, acl: AclBinding): boolean {
  return (
    (filter.resourceTypeFilter === anyCode || filter.resourceTypeFilter === acl.resourceType) &&
    matchesPattern(filter, acl) &&
    (filter.principalFilter === null || filter.principalFilter === acl.principal) &&
    (filter.hostFilter === null || filter.hostFilter === acl.host) &&
    (filter.operation === anyCode || filter.operation === acl.operation) &&
    (filter.permissionType === anyCode || filter.permissionType === acl.permissionType)
  )
}

function matchesPattern({ patternTypeFilter: type, resourceNameFilter: name }: AclFilter, acl: AclBinding): boolean {
  const sameType = type === acl.patternType
  if (type !== anyCode && type !== matchCode && !sameType) return false
  if (name === null) return true
  if (type !== matchCode) return name === acl.resourceName
  return acl.patternType === patternCodes.Prefixed
    ? name.startsWith(acl.resourceName)
    : name === acl.resourceName || acl.resourceName === wildcard
}
