/**
 * Which quota holds for whom (KIP-55, KIP-546). The most specific one that exists counts:
 *
 *   user and client id / user and default client id / user
 *   default user and client id / default user and default client id / default user
 *   client id / default client id
 *
 * What counts for a user as a whole is shared by all its clients; what counts for a client id as a whole by all its users.
 */
import type { MetadataImage } from '../../controller/image.ts'
import type { QuotaEntity } from '../../controller/metadata-record.ts'
import { hostAddress } from '../../net/ip-address.ts'

export const quotaKeys = {
  produce: 'producer_byte_rate',
  fetch: 'consumer_byte_rate',
  request: 'request_percentage',
  controllerMutation: 'controller_mutation_rate',
  connection: 'connection_creation_rate',
} as const
export type QuotaKey = (typeof quotaKeys)[keyof typeof quotaKeys]

export interface Limit {
  readonly bound: number
  /** The same for all who share what is measured. */
  readonly sharedBy: string
}

/** Names cannot be told from these: a name is led in by a letter. */
const everyOther = 'default'
const notNamed = ''
const named = (name: string): string => `=${name}`

function keyOf(entity: readonly QuotaEntity[]): string {
  const part = (type: string) => {
    const found = entity.find(({ entityType }) => entityType === type)
    if (found === undefined) return notNamed
    return found.entityName === null ? everyOther : named(found.entityName)
  }
  return levelKey(part('user'), part('client-id'))
}

function levelKey(user: string, clientId: string): string {
  return `${user}\n${clientId}`
}

export class QuotaLimits {
  readonly #byKey = new Map<string, Map<string, number>>()
  readonly #byIp = new Map<string | null, number>()

  constructor(quotas: MetadataImage['clientQuotas']) {
    for (const { entity, key, value } of quotas.values()) {
      const ip = entity.find(({ entityType }) => entityType === 'ip')
      if (ip !== undefined) {
        if (key === quotaKeys.connection)
          this.#byIp.set(ip.entityName === null ? null : hostAddress(ip.entityName), value)
        continue
      }
      let limits = this.#byKey.get(key)
      if (limits === undefined) this.#byKey.set(key, (limits = new Map()))
      limits.set(keyOf(entity), value)
    }
  }

  /** Whether anybody has such a quota. */
  has(key: QuotaKey): boolean {
    return this.#byKey.has(key)
  }

  find(key: QuotaKey, userName: string, client: string): Limit | undefined {
    const limits = this.#byKey.get(key)
    if (limits === undefined) return undefined
    const user = named(userName)
    const clientId = named(client)
    const levels = [
      [user, clientId, user, clientId],
      [user, everyOther, user, clientId],
      [user, notNamed, user, notNamed],
      [everyOther, clientId, user, clientId],
      [everyOther, everyOther, user, clientId],
      [everyOther, notNamed, user, notNamed],
      [notNamed, clientId, notNamed, clientId],
      [notNamed, everyOther, notNamed, clientId],
    ] as const
    for (const [quotaUser, quotaClient, sharedUser, sharedClient] of levels) {
      const bound = limits.get(levelKey(quotaUser, quotaClient))
      if (bound !== undefined) return { bound, sharedBy: levelKey(sharedUser, sharedClient) }
    }
    return undefined
  }

  /** New connections per second from an address; undefined without a limit. */
  connectionRate(ip: string): number | undefined {
    return this.#byIp.get(ip) ?? this.#byIp.get(null)
  }

  get limitsConnections(): boolean {
    return this.#byIp.size > 0
  }
}
