/**
 * CreateAcls and DeleteAcls v1-3 as operations. An entry that exists already is created with success and no record. Sources: KIP-140, KIP-290,
 * KIP-801; checks and messages as Kafka's AclApis and AclControlManager.
 */
import { clusterName, patternCodes, permissionCodes, resourceCodes } from '../security/authorization/acl.ts'
import { aclKey, type AclBinding } from '../security/authorization/acl.ts'
import { aclName, anyCode, isUnknown, matches, type AclFilter } from '../security/authorization/acl-filter.ts'
import type { MetadataImage } from './image.ts'
import type { MetadataRecord, Uuid } from './metadata-record.ts'
import { itemError, maxRecordsPerUserOperation, refuse } from './operation.ts'
import type { ControllerState, ItemError, Operation } from './operation.ts'
import { randomUuid } from './uuid.ts'

export interface CreateAclsReply {
  /** In the order of the request; undefined for success. */
  readonly failures: readonly (ItemError | undefined)[]
}

export interface DeleteAclsReply {
  /** In the order of the filters. */
  readonly results: readonly (ItemError | readonly AclBinding[])[]
}

export const createAcls: Operation<{ readonly creations: readonly AclBinding[] }, CreateAclsReply> = (
  state,
  { creations },
) => {
  const records: MetadataRecord[] = []
  const existing = keysOf(state.image)
  const failures = creations.map(acl => {
    const failure = invalid(acl)
    const key = aclKey(acl)
    if (failure !== undefined || existing.has(key)) return failure
    existing.add(key)
    records.push({ type: 'AccessControlEntry', id: newId(state), ...acl })
    return undefined
  })
  if (records.length > maxRecordsPerUserOperation) return tooMany()
  return { records, reply: { failures } }
}

export const deleteAcls: Operation<{ readonly filters: readonly AclFilter[] }, DeleteAclsReply> = (
  { image },
  { filters },
) => {
  const removed = new Set<Uuid>()
  const results = filters.map(filter => {
    const failure = invalidFilter(filter)
    if (failure !== undefined) return failure
    const found = [...image.acls.values()].filter(acl => matches(filter, acl))
    for (const { id } of found) removed.add(id)
    return found
  })
  if (removed.size > maxRecordsPerUserOperation) {
    return refuse(
      'INVALID_REQUEST',
      `Cannot remove more than ${maxRecordsPerUserOperation} acls in a single delete operation.`,
    )
  }
  return { records: [...removed].map(id => ({ type: 'RemoveAccessControlEntry', id })), reply: { results } }
}

/** The map of an image stays the same object while its entries do: one computation serves all requests between two changes. */
const keysByAcls = new WeakMap<MetadataImage['acls'], ReadonlySet<string>>()

function keysOf({ acls }: MetadataImage): Set<string> {
  let keys = keysByAcls.get(acls)
  if (keys === undefined) keysByAcls.set(acls, (keys = new Set([...acls.values()].map(acl => aclKey(acl)))))
  return new Set(keys)
}

function newId({ image, random }: ControllerState): Uuid {
  for (;;) {
    const id = randomUuid(random)
    if (!image.acls.has(id)) return id
  }
}

function tooMany() {
  return refuse('POLICY_VIOLATION', 'Too many access control entries in one request.')
}

function invalid(acl: AclBinding): ItemError | undefined {
  const message = invalidBecause(acl)
  return message === undefined ? undefined : itemError('INVALID_REQUEST', message)
}

function invalidBecause(acl: AclBinding): string | undefined {
  const { resourceType, patternType, operation, permissionType } = acl
  if (resourceType === resourceCodes.Cluster && acl.resourceName !== clusterName)
    return `The only valid name for the CLUSTER resource is ${clusterName}`
  if (acl.resourceName === '') return 'Invalid empty resource name'
  if (isUnknown('resourceType', resourceType) || resourceType === anyCode)
    return `Invalid resourceType ${aclName('resourceType', resourceType)}`
  if (patternType !== patternCodes.Literal && patternType !== patternCodes.Prefixed)
    return `Invalid patternType ${aclName('patternType', patternType)}`
  if (isUnknown('operation', operation) || operation === anyCode)
    return `Invalid operation ${aclName('operation', operation)}`
  if (permissionType !== permissionCodes.Allow && permissionType !== permissionCodes.Deny)
    return `Invalid permissionType ${aclName('permissionType', permissionType)}`
  if (!acl.principal.includes(':')) {
    const why = 'no colon is present separating the principal type from the principal name'
    return `Could not parse principal from \`${acl.principal}\` (${why})`
  }
  return undefined
}

function invalidFilter(filter: AclFilter): ItemError | undefined {
  const { resourceTypeFilter, patternTypeFilter, operation, permissionType } = filter
  if (isUnknown('resourceType', resourceTypeFilter) || isUnknown('patternType', patternTypeFilter))
    return itemError('INVALID_REQUEST', 'Unknown patternFilter.')
  if (isUnknown('operation', operation) || isUnknown('permissionType', permissionType))
    return itemError('INVALID_REQUEST', 'Unknown entryFilter.')
  return undefined
}
