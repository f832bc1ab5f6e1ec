/**
 * Every registered API asks for the rights that Kafka asks for: without each of them it is refused with the exact code, with all of them it is
 * not. A handler without a case here fails the last test.
 */
import { expect, describe, it } from 'vitest'
import { Dispatcher } from '#broker/handlers/dispatch.ts'
import type { ConnectionInfo } from '#broker/handlers/handler.ts'
import { handlers } from '#broker/handlers/registry.ts'
import type { Services } from '#broker/handlers/services.ts'
import { Principal } from '#broker/net/principal.ts'
import { codec } from '#broker/protocol/codec.ts'
import { errorCode, type ErrorName } from '#broker/protocol/errors.ts'
import { decodeResponseHeader, encodeRequestFrame } from '#broker/protocol/headers.ts'
import { messagesOf } from '#broker/protocol/messages/index.ts'
import { Reader } from '#broker/protocol/reader.ts'
import { refusedAppend } from '#broker/replication/appends.ts'
import { failedRead } from '#broker/replication/local-replica.ts'
import type { AclOperation, ResourceType } from '#broker/security/authorization/acl.ts'
import type { Authorizer, Purpose } from '#broker/security/authorization/authorizer.ts'
import { cases, cluster, node, on, topic, type Case } from './authorization-cases.ts'

/** Hide what one may not see instead of refusing it; have a test of their own below, but for 41 (tokens). */
const filters: ReadonlySet<number> = new Set([16, 41, 66])
class GrantedRights implements Authorizer {
  readonly isLoaded = true
  readonly whenLoaded = Promise.resolve()
  readonly acls = []
  readonly asked: string[] = []
  readonly #granted: ReadonlySet<string>

  constructor(rights: readonly (readonly string[])[]) {
    this.#granted = new Set(rights.map(([operation, type, name]) => `${operation}/${type}/${name}`))
  }

  authorize(_subject: object, operation: AclOperation, type: ResourceType, name: string, purpose: Purpose): boolean {
    // Filters also ask what a client is told that it might do.
    if (purpose === 'access') this.asked.push(`${operation}/${type}`)
    return this.#granted.has(`${operation}/${type}/${name}`)
  }

  authorizeByResourceType(_subject: object, operation: AclOperation, type: ResourceType): boolean {
    this.asked.push(`${operation}/${type}`)
    return [...this.#granted].some(granted => granted.startsWith(`${operation}/${type}/`))
  }
}

/** Far enough behind the authorization to know that it was passed; anything further fails, which is no refusal. */
const broker = {
  shares: { isEnabled: true },
  autoTopics: { request: () => new Map() },
  groups: {
    ask: (_id: string, refuse: (error: ErrorName) => unknown) => Promise.resolve(refuse('NOT_COORDINATOR')),
    read: (_id: string, refuse: (error: ErrorName) => unknown) => refuse('NOT_COORDINATOR'),
    partitionFor: () => 0,
    offers: () => true,
    assignorNames: () => ['uniform'],
    list: () => ({
      groups: ['g', 'h'].map(groupId => ({ groupId, protocolType: 'consumer', state: 'Stable', type: 'Classic' })),
      loading: false,
    }),
  },
  transactions: {
    list: () => ({
      transactions: ['tx', 'ty'].map(id => ({ transactionalId: id, producerId: 5n, state: 'Ongoing', startWallMs: 0 })),
      loading: false,
    }),
  },
  replicas: {
    find: () => 'NOT_LEADER_OR_FOLLOWER',
    deleteRecords: (entries: readonly { target: ErrorName }[]) =>
      entries.map(({ target }) => ({ error: target, lowWatermark: -1 })),
    append: (entries: readonly object[]) => entries.map(() => refusedAppend('NOT_LEADER_OR_FOLLOWER', null)),
    fetch: (entries: readonly object[]) => entries.map(() => failedRead('NOT_LEADER_OR_FOLLOWER')),
    sessions: {
      *begin({ wanted }: { wanted: readonly object[] }) {
        yield* []
        return {
          wanted,
          *finish() {
            yield* []
            return { sessionId: 0, error: 'NONE', isNamed: 'all' }
          },
        }
      },
    },
  },
}

async function ask(
  apiKey: number,
  each: Case,
  rights: Case['rights'],
): Promise<{ codes: number[]; asked: string[]; response: object }> {
  const handler = handlers.find(candidate => candidate.apiKey === apiKey)
  const messages = messagesOf(apiKey)
  if (handler === undefined || messages === undefined) throw new Error(`API key ${apiKey} is not registered`)
  const { environment } = node.time
  const dispatcher = new Dispatcher(environment, node.config, handlers)
  const authorizer = new GrantedRights(rights)
  const services = {
    clusterId: node.publisher.image.clusterId,
    nodeId: 1,
    listeners: { broker: [], controller: [], advertised: [] },
    quorum: node.quorum,
    dispatch: dispatcher,
    authorizer,
    controller: node.controller,
    metadata: () => node.publisher.image,
    broker,
  }
  dispatcher.attach(services as unknown as Services)
  const listenerKind = each.listener ?? (handler.listeners.includes('controller') ? 'controller' : 'broker')
  const isEither = each.listener === undefined && handler.forwardToController !== true && handler.listeners.length > 1
  const connection = {
    id: 1,
    listenerName: 'PLAINTEXT',
    listenerKind: isEither ? 'broker' : listenerKind,
    clientHost: '10.0.0.1',
    principal: new Principal('User', 'alice'),
    clientSoftware: { name: 'test', version: '1' },
    mute: () => undefined,
    onClose: () => () => true,
    isOpen: () => true,
    replyRoomBytes: () => Infinity,
  }
  const version = each.version ?? handler.versions[1]
  const header = { key: apiKey, version, correlationId: 1, clientId: 'test' }
  const request = Buffer.concat(encodeRequestFrame(header, messages.request, each.body as never))
  const reply = Buffer.concat(
    (await dispatcher.serve(request.subarray(4), connection as unknown as ConnectionInfo)) ?? [],
  )
  const reader = new Reader(reply.subarray(4))
  decodeResponseHeader(reader, { key: apiKey, version })
  const response = codec(messages.response, version).decode(reader)
  return { codes: codesIn(response), asked: authorizer.asked, response }
}

const refusals: readonly number[] = (
  [
    'TOPIC_AUTHORIZATION_FAILED',
    'GROUP_AUTHORIZATION_FAILED',
    'CLUSTER_AUTHORIZATION_FAILED',
    'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    'DELEGATION_TOKEN_AUTHORIZATION_FAILED',
  ] as const
).map(name => errorCode(name))

/** The refusals in a response, wherever it has error codes. */
function codesIn(value: unknown): number[] {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return []
  const codes = Object.entries(value).flatMap(([name, inner]) =>
    /errorCode$/i.test(name) && refusals.includes(inner as number) ? [inner as number] : codesIn(inner),
  )
  return [...new Set(codes)]
}

const registered = new Set(handlers.map(({ apiKey }) => apiKey))
const flat = Object.entries(cases)
  .filter(([key]) => registered.has(Number(key)))
  .flatMap(([key, list]) =>
    list.map((each, index) => ({ key: Number(key), each, title: `API key ${key}, case ${index + 1}` })),
  )

describe('authorization', () => {
  it.each(flat)('$title: refused without each right, not refused with all of them', async ({ key, each }) => {
    const declared = handlers.find(({ apiKey }) => apiKey === key)?.authorization
    const declaredRights =
      declared === undefined || declared === 'anyone'
        ? []
        : declared.map(({ operation, resourceType }) => `${operation}/${resourceType}`)
    for (const missing of each.rights) {
      const { codes, asked } = await ask(
        key,
        each,
        each.rights.filter(other => other !== missing),
      )
      expect(codes).toEqual([errorCode(missing[3] ?? each.refused)])
      expect(asked.filter(right => !declaredRights.includes(right))).toEqual([])
    }
    const { codes, asked } = await ask(key, each, each.rights)
    expect(codes).toEqual([])
    expect(asked.filter(right => !declaredRights.includes(right))).toEqual([])
  })

  it('hides groups and transactions that one may not describe', async () => {
    const groups = { body: { statesFilter: [], typesFilter: [] }, refused: 'NONE', rights: [] } as const
    const idsOf = async (rights: Case['rights']) => {
      const { response } = await ask(16, groups, rights)
      return (response as { groups: { groupId: string }[] }).groups.map(({ groupId }) => groupId)
    }
    expect(await idsOf([])).toEqual([])
    expect(await idsOf([on('Describe', 'Group', 'h')])).toEqual(['h'])
    expect(await idsOf([on('Describe', 'Cluster', cluster)])).toEqual(['g', 'h'])
    const body = { stateFilters: [], producerIdFilters: [], durationFilter: -1, transactionalIdPattern: null }
    const transactions = { body, refused: 'NONE', rights: [] } as const
    const found = await ask(66, transactions, [on('Describe', 'TransactionalId', 'ty')])
    expect(found.response).toMatchObject({ transactionStates: [{ transactionalId: 'ty' }] })
  })

  it('tells what one may do with a topic, a group and the cluster', async () => {
    const asked = { topics: [{ name: topic }], allowAutoTopicCreation: false, includeTopicAuthorizedOperations: true }
    const metadata = { body: asked, refused: 'NONE', rights: [], version: 9 } as const
    const rights = [on('Describe', 'Topic', topic), on('Write', 'Topic', topic)]
    const { response } = await ask(3, metadata, rights)
    expect(response).toMatchObject({ topics: [{ topicAuthorizedOperations: (1 << 8) | (1 << 4) }] })
    const describeCluster = { includeClusterAuthorizedOperations: true, endpointType: 1 }
    const clusterCase = { body: describeCluster, refused: 'NONE', rights: [], listener: 'broker' } as const
    expect((await ask(60, clusterCase, [])).response).toMatchObject({ clusterAuthorizedOperations: 0 })
    const seen = await ask(60, clusterCase, [on('Describe', 'Cluster', cluster), on('Alter', 'Cluster', cluster)])
    expect(seen.response).toMatchObject({ clusterAuthorizedOperations: (1 << 8) | (1 << 7) })
  })

  it('has a case here for every registered API that needs a right', () => {
    const covered = (key: number) => cases[key] !== undefined || filters.has(key)
    const forgotten = handlers.filter(({ apiKey, authorization }) => authorization !== 'anyone' && !covered(apiKey))
    expect(forgotten.map(({ apiKey }) => apiKey)).toEqual([])
    const anyone = handlers.filter(({ authorization }) => authorization === 'anyone').map(({ apiKey }) => apiKey)
    expect(anyone).toEqual([17, 18, 36, 39, 40, 71, 72])
  })
})
