/**
 * Kinds of things that the admin actor changes: how to ask for a change, and how to read from one broker all that there are. Names of its own
 * begin with `churn`, so that whatever else is there is somebody else's.
 */
import type { Address } from '#broker/environment/environment.ts'
import type { MetadataResponse } from '#broker/protocol/messages/03-metadata.ts'
import type { CreateTopicsResponse } from '#broker/protocol/messages/19-create-topics.ts'
import type { DeleteTopicsResponse } from '#broker/protocol/messages/20-delete-topics.ts'
import type { DescribeAclsResponse } from '#broker/protocol/messages/29-describe-acls.ts'
import type { CreateAclsResponse } from '#broker/protocol/messages/30-create-acls.ts'
import type { DeleteAclsResponse } from '#broker/protocol/messages/31-delete-acls.ts'
import type { DescribeConfigsResponse } from '#broker/protocol/messages/32-describe-configs.ts'
import type { CreatePartitionsResponse } from '#broker/protocol/messages/37-create-partitions.ts'
import type { IncrementalAlterConfigsResponse } from '#broker/protocol/messages/44-incremental-alter-configs.ts'
import type { DescribeClientQuotasResponse } from '#broker/protocol/messages/48-describe-client-quotas.ts'
import type { AlterClientQuotasResponse } from '#broker/protocol/messages/49-alter-client-quotas.ts'
import type { DescribeUserScramCredentialsResponse } from '#broker/protocol/messages/50-describe-user-scram-credentials.ts'
import type { AlterUserScramCredentialsResponse } from '#broker/protocol/messages/51-alter-user-scram-credentials.ts'
import { outcomeOf, type Outcome } from './facts.ts'
import { requestTimeoutMs, type Wire } from './wire.ts'

export const churn = 'churn-'

export interface Kind {
  readonly name: string
  /** How many things of the kind there may be; none: as many as one likes. */
  readonly most?: number
  /** Makes it, or gives it its next value; the nth value is above all before. Values of one thing never come twice. */
  set(wire: Wire, name: string, nth: number): Promise<Outcome>
  valueOf(nth: number): string
  remove(wire: Wire, name: string): Promise<Outcome>
  /** All things of the kind that this broker knows, of those with `names` where it must ask by name. */
  read(wire: Wire, from: Address, names: readonly string[]): Promise<ReadonlyMap<string, string>>
}

const isOurs = (name: string | null): name is string => name?.startsWith(churn) === true

export const topics: Kind = {
  name: 'topic',
  most: 6,
  valueOf: nth => String(nth),
  set: (wire, name, nth) =>
    outcomeOf(async () => {
      if (nth > 1) {
        const grown = {
          topics: [{ name, count: nth, assignments: null }],
          timeoutMs: requestTimeoutMs,
          validateOnly: false,
        }
        const { results } = await wire.send<CreatePartitionsResponse>(wire.any(), 37, grown, 3)
        return results[0]!.errorCode
      }
      const topic = { name, numPartitions: 1, replicationFactor: 3, assignments: [], configs: [] }
      const body = { topics: [topic], timeoutMs: requestTimeoutMs, validateOnly: false }
      return (await wire.send<CreateTopicsResponse>(wire.any(), 19, body, 7)).topics[0]!.errorCode
    }),
  remove: (wire, name) =>
    outcomeOf(async () => {
      const body = { topics: [], topicNames: [name], timeoutMs: requestTimeoutMs }
      return (await wire.send<DeleteTopicsResponse>(wire.any(), 20, body, 5)).responses[0]!.errorCode
    }),
  async read(wire, from) {
    const body = { topics: null, allowAutoTopicCreation: false }
    const { topics: all } = await wire.send<MetadataResponse>(from, 3, body, 12)
    return new Map(all.flatMap(({ name, partitions }) => (isOurs(name) ? [[name, String(partitions.length)]] : [])))
  },
}

/** Settings of groups: any name will do, whether or not there is such a group. */
export const groupSettings: Kind = settings({
  name: 'group setting',
  resourceType: 32,
  key: 'consumer.session.timeout.ms',
  source: 8,
  valueOf: nth => String(45_000 + nth),
})

/** Topics with settings that change; the actor makes them before the faults begin. */
export const settledTopics: Kind = {
  ...settings({
    name: 'topic setting',
    resourceType: 2,
    key: 'retention.ms',
    source: 1,
    valueOf: nth => String(10_000_000 + nth),
  }),
  most: 3,
}

function settings(of: {
  readonly name: string
  readonly resourceType: number
  readonly key: string
  readonly source: number
  readonly valueOf: (nth: number) => string
}): Kind {
  const { name: kind, resourceType, key, source, valueOf } = of
  const alter = (wire: Wire, resourceName: string, change: { configOperation: number; value: string | null }) =>
    outcomeOf(async () => {
      const resources = [{ resourceType, resourceName, configs: [{ name: key, ...change }] }]
      const body = { resources, validateOnly: false }
      return (await wire.send<IncrementalAlterConfigsResponse>(wire.any(), 44, body, 1)).responses[0]!.errorCode
    })
  return {
    name: kind,
    valueOf,
    set: (wire, name, nth) => alter(wire, name, { configOperation: 0, value: valueOf(nth) }),
    remove: async (wire, name) => idleIfDone(await alter(wire, name, { configOperation: 1, value: null })),
    async read(wire, from, names) {
      const resources = names.map(resourceName => ({ resourceType, resourceName, configurationKeys: [key] }))
      const { results } = await wire.send<DescribeConfigsResponse>(from, 32, { resources }, 4)
      const found = new Map<string, string>()
      for (const { resourceName, configs } of results)
        for (const { value, configSource } of configs)
          if (configSource === source && value !== null) found.set(resourceName, value)
      return found
    },
  }
}

/** To remove what is not there is a success without a record, by what a deposed controller knows. */
function idleIfDone(outcome: Outcome): Outcome {
  return outcome === 'done' ? 'idle' : outcome
}

export const quotas: Kind = {
  name: 'quota',
  valueOf: nth => String(1_000_000 + nth),
  set: (wire, name, nth) => alterQuota(wire, name, { value: 1_000_000 + nth, remove: false }),
  remove: async (wire, name) => idleIfDone(await alterQuota(wire, name, { value: 0, remove: true })),
  async read(wire, from) {
    const body = { components: [{ entityType: 'client-id', matchType: 2, match: null }], strict: false }
    const { entries } = await wire.send<DescribeClientQuotasResponse>(from, 48, body, 1)
    return new Map(
      (entries ?? []).flatMap(({ entity, values }) => {
        const name = entity[0]?.entityName ?? null
        return isOurs(name) ? [[name, String(values[0]?.value)] as const] : []
      }),
    )
  },
}

function alterQuota(wire: Wire, entityName: string, change: { value: number; remove: boolean }): Promise<Outcome> {
  return outcomeOf(async () => {
    const entity = [{ entityType: 'client-id', entityName }]
    const body = { entries: [{ entity, ops: [{ key: 'producer_byte_rate', ...change }] }], validateOnly: false }
    return (await wire.send<AlterClientQuotasResponse>(wire.any(), 49, body, 1)).entries[0]!.errorCode
  })
}

const scramSha256 = 1

export const scramUsers: Kind = {
  name: 'user',
  valueOf: nth => String(4096 + nth),
  set: (wire, name, nth) => {
    const [salt, saltedPassword] = [Buffer.from('salt'), Buffer.from('salted password')]
    const user = { name, mechanism: scramSha256, iterations: 4096 + nth, salt, saltedPassword }
    return alterUsers(wire, { deletions: [], upsertions: [user] })
  },
  remove: (wire, name) => alterUsers(wire, { deletions: [{ name, mechanism: scramSha256 }], upsertions: [] }),
  async read(wire, from) {
    const { results } = await wire.send<DescribeUserScramCredentialsResponse>(from, 50, { users: null }, 0)
    return new Map(
      results.flatMap(({ user, credentialInfos }) =>
        isOurs(user) ? credentialInfos.map(({ iterations }) => [user, String(iterations)] as const) : [],
      ),
    )
  },
}

function alterUsers(wire: Wire, body: object): Promise<Outcome> {
  return outcomeOf(
    async () => (await wire.send<AlterUserScramCredentialsResponse>(wire.any(), 51, body, 0)).results[0]!.errorCode,
  )
}

/** A read on topics for a principal of that name. */
const entry = { resourceType: 2, resourceName: 'anything', host: '*', operation: 3, permissionType: 3 }
const anything = {
  resourceTypeFilter: 1,
  resourceNameFilter: null,
  patternTypeFilter: 1,
  principalFilter: null,
  hostFilter: null,
}

export const accessEntries: Kind = {
  name: 'access control entry',
  // Literal, then for every name that begins so: an entry is never changed, a second one is made beside it.
  valueOf: nth => String(nth),
  async set(wire, name, nth) {
    const creation = { ...entry, resourceName: `anything-${nth}`, resourcePatternType: 3, principal: `User:${name}` }
    return outcomeOf(
      async () =>
        (await wire.send<CreateAclsResponse>(wire.any(), 30, { creations: [creation] }, 3)).results[0]!.errorCode,
    )
  },
  async remove(wire, name) {
    let removed = 0
    const outcome = await outcomeOf(async () => {
      const filter = { ...anything, principalFilter: `User:${name}`, operation: 1, permissionType: 1 }
      const { filterResults } = await wire.send<DeleteAclsResponse>(wire.any(), 31, { filters: [filter] }, 3)
      removed = filterResults[0]!.matchingAcls.length
      return filterResults[0]!.errorCode
    })
    return removed === 0 ? idleIfDone(outcome) : outcome
  },
  async read(wire, from) {
    const body = { ...anything, operation: 1, permissionType: 1 }
    const { resources } = await wire.send<DescribeAclsResponse>(from, 29, body, 3)
    const counts = new Map<string, number>()
    for (const { acls } of resources)
      for (const { principal } of acls) {
        const name = principal.slice('User:'.length)
        if (isOurs(name)) counts.set(name, (counts.get(name) ?? 0) + 1)
      }
    return new Map([...counts].map(([name, count]) => [name, String(count)]))
  },
}
