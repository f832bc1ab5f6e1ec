/** Which quotas a filter of DescribeClientQuotas means (KIP-546); checks and messages as Kafka's ClientQuotasImage. */
import type { MetadataImage } from '../../controller/image.ts'
import type { QuotaEntity } from '../../controller/metadata-record.ts'
import { quotaKey } from '../../controller/mutable-image.ts'
import type { ErrorName } from '../../protocol/errors.ts'

export interface QuotaFilter {
  readonly components: readonly {
    readonly entityType: string
    /** 0 this name, 1 the default entity, 2 any name or the default. */
    readonly matchType: number
    readonly match: string | null
  }[]
  /** Only entities of exactly these types. */
  readonly strict: boolean
}

export interface DescribedQuotas {
  readonly entity: readonly QuotaEntity[]
  readonly values: readonly { readonly key: string; readonly value: number }[]
}

interface Refused {
  readonly error: ErrorName
  readonly message: string
}

const matchTypes = { exact: 0, default: 1, specified: 2 } as const

export function describeQuotas(
  quotas: MetadataImage['clientQuotas'],
  filter: QuotaFilter,
): DescribedQuotas[] | Refused {
  const refused = invalidFilter(filter)
  if (refused !== undefined) return refused
  const byEntity = new Map<string, { entity: readonly QuotaEntity[]; values: { key: string; value: number }[] }>()
  for (const { entity, key, value } of quotas.values()) {
    if (!matches(filter, entity)) continue
    const id = quotaKey(entity, '')
    const described = byEntity.get(id) ?? { entity, values: [] }
    described.values.push({ key, value })
    byEntity.set(id, described)
  }
  return [...byEntity.values()]
}

function matches({ components, strict }: QuotaFilter, entity: readonly QuotaEntity[]): boolean {
  if (strict && entity.length !== components.length) return false
  return components.every(({ entityType, matchType, match }) => {
    const part = entity.find(each => each.entityType === entityType)
    return part !== undefined && (matchType === matchTypes.specified || part.entityName === match)
  })
}

function invalidFilter({ components }: QuotaFilter): Refused | undefined {
  const types = new Set<string>()
  for (const { entityType, matchType, match } of components) {
    if (entityType === '') return invalid('Invalid empty entity type.')
    if (types.has(entityType)) return invalid(`Entity type ${entityType} cannot appear more than once in the filter.`)
    if (!['user', 'client-id', 'ip'].includes(entityType))
      return { error: 'UNSUPPORTED_VERSION', message: `Unsupported entity type ${entityType}` }
    types.add(entityType)
    if (matchType === matchTypes.exact && match === null)
      return invalid('Request specified MATCH_TYPE_EXACT, but set match string to null.')
    if (matchType < matchTypes.exact || matchType > matchTypes.specified)
      return invalid(`Unknown match type ${matchType}`)
    if (matchType !== matchTypes.exact && match !== null) {
      const name = matchType === matchTypes.default ? 'MATCH_TYPE_DEFAULT' : 'MATCH_TYPE_SPECIFIED'
      return invalid(`Request specified ${name}, but also specified a match string.`)
    }
  }
  if (types.has('ip') && types.size > 1)
    return invalid(
      'Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component.',
    )
  return undefined
}

function invalid(message: string): Refused {
  return { error: 'INVALID_REQUEST', message }
}
