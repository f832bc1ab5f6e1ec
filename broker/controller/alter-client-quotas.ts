/**
 * AlterClientQuotas v0-1 as an operation: quotas of users, client ids, both together, and of addresses. Each entity is changed as a whole or not
 * at all. Sources: KIP-546, KIP-599, KIP-612; checks and messages as Kafka's ClientQuotaControlManager.
 */
import type { ClientQuotaRecord, MetadataRecord, QuotaEntity } from './metadata-record.ts'
import { quotaKey } from './mutable-image.ts'
import { itemError, maxRecordsPerUserOperation, refuse } from './operation.ts'
import type { ControllerState, ItemError, Operation } from './operation.ts'

export interface QuotaAlteration {
  readonly entity: readonly QuotaEntity[]
  readonly ops: readonly { readonly key: string; readonly value: number; readonly remove: boolean }[]
}

export interface AlterClientQuotasReply {
  /** In the order of the request; undefined for success. */
  readonly failures: readonly (ItemError | undefined)[]
}

interface Kind {
  readonly isWhole: boolean
  readonly most: number
}

const whole: Kind = { isWhole: true, most: Number.MAX_VALUE }
const fraction: Kind = { isWhole: false, most: Number.MAX_VALUE }
const clientKeys: ReadonlyMap<string, Kind> = new Map([
  ['producer_byte_rate', whole],
  ['consumer_byte_rate', whole],
  ['request_percentage', fraction],
  ['controller_mutation_rate', fraction],
])
const ipKeys: ReadonlyMap<string, Kind> = new Map([
  ['connection_creation_rate', { isWhole: true, most: 2_147_483_647 }],
])
const integralTolerance = 1e-6

export const alterClientQuotas: Operation<
  { readonly entries: readonly QuotaAlteration[]; readonly validateOnly: boolean },
  AlterClientQuotasReply
> = (state, { entries, validateOnly }) => {
  const records: MetadataRecord[] = []
  const seen = new Set<string>()
  const failures = entries.map(alteration => {
    const id = quotaKey(alteration.entity, '')
    const isTwice = seen.has(id)
    seen.add(id)
    const altered = isTwice ? invalid('Ignoring duplicate entity') : alterEntity(state, alteration)
    if ('error' in altered) return altered
    records.push(...altered)
    return undefined
  })
  if (records.length > maxRecordsPerUserOperation) return refuse('POLICY_VIOLATION', 'Too many quotas in one request.')
  return { records: validateOnly ? [] : records, reply: { failures } }
}

function alterEntity({ image }: ControllerState, { entity, ops }: QuotaAlteration): ClientQuotaRecord[] | ItemError {
  const keys = keysFor(entity)
  if ('error' in keys) return keys
  const names = ops.map(({ key }) => key)
  const twice = names.find((key, index) => names.indexOf(key) !== index)
  if (twice !== undefined) return invalid(`Duplicate quota key ${twice} not updating quota for this entity`)
  const records: ClientQuotaRecord[] = []
  for (const { key, value, remove } of ops) {
    const current = image.clientQuotas.get(quotaKey(entity, key))
    const failure = remove ? undefined : invalidValue(keys, key, value)
    if (failure !== undefined) return failure
    const isChange = remove ? current !== undefined : current?.value !== value
    if (isChange) records.push({ type: 'ClientQuota', entity, key, value: remove ? 0 : value, remove })
  }
  return records
}

function keysFor(entity: readonly QuotaEntity[]): ReadonlyMap<string, Kind> | ItemError {
  if (entity.length === 0) return invalid('Invalid empty client quota entity')
  const types = new Set<string>()
  for (const { entityType, entityName } of entity) {
    if (types.has(entityType)) return invalid(`Invalid client quota entity, duplicate entity entry ${entityType}`)
    if (!['user', 'client-id', 'ip'].includes(entityType))
      return invalid(`Unhandled client quota entity type: ${entityType}`)
    if (entityName === '') return invalid(`Empty ${entityType} not supported`)
    types.add(entityType)
  }
  if (!types.has('ip')) return clientKeys
  if (types.size > 1)
    return invalid('Invalid quota entity combination, IP entity should not be combined with User or ClientId')
  const ip = entity[0]?.entityName ?? null
  return ip === null || isAddress(ip) ? ipKeys : invalid(`${ip} is not a valid IP or resolvable host.`)
}

/** Kafka also takes names that resolve; a machine that decides cannot ask a name server. */
function isAddress(text: string): boolean {
  const bytes = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (bytes !== null) return bytes.slice(1).every(byte => Number(byte) <= 255)
  return text === 'localhost' || (text.includes(':') && /^[0-9a-f:.]+$/i.test(text))
}

function invalidValue(keys: ReadonlyMap<string, Kind>, key: string, value: number): ItemError | undefined {
  const kind = keys.get(key)
  if (kind === undefined) return invalid(`Invalid configuration key ${key}`)
  if (!(value > 0)) return invalid(`Quota ${key} must be greater than 0`)
  if (value > kind.most) return invalid(`Proposed value for ${key} is too large for an INT.`)
  if (kind.isWhole && Math.abs(value % 1) > integralTolerance) return invalid(`${key} cannot be a fractional value.`)
  return undefined
}

function invalid(message: string): ItemError {
  return itemError('INVALID_REQUEST', message)
}
