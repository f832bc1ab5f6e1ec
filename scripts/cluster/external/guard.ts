/**
 * What may leave for a cluster that is not ours. It stands in every connection and looks at each request before it is sent: topics, groups and
 * transactional ids must bear the prefix of the run, and what changes anything else of the cluster is refused. A request whose body it cannot
 * read is refused, too: nothing is touched by mistake.
 */
import type { Socket } from 'node:net'
import type { ISocketFactory } from 'kafkajs'
import { apiByKey } from '#broker/protocol/apis.ts'
import { codec } from '#broker/protocol/codec.ts'
import { decodeRequestHeader } from '#broker/protocol/headers.ts'
import { messagesOf } from '#broker/protocol/messages/index.ts'
import { Reader } from '#broker/protocol/reader.ts'
import { messageOf } from '../../errors.ts'

export interface GuardOptions {
  /** Of everything that the run makes. */
  readonly prefix: string
  /** True: also what changes the cluster (quotas, ACLs, settings of brokers, elections), which the person has allowed. */
  readonly allowsClusterChanges: boolean
  /** Told in words what was wanted; the connection is then broken. */
  readonly refused: (what: string) => void
}

/** They change nothing, or only what belongs to the connection. */
const harmless = new Set([
  1, 2, 9, 10, 15, 16, 17, 18, 23, 29, 32, 35, 36, 46, 48, 50, 55, 60, 61, 65, 66, 69, 74, 75, 77, 89, 90,
])

/** Creates the topics that it names, unless it says that it does not want to, or does not name any. */
const metadataKey = 3

/** They write, create or remove what they name: by the fields that hold the names. */
const naming: ReadonlyMap<number, readonly string[]> = new Map([
  [0, ['topicData[].name', 'transactionalId']],
  [8, ['groupId']],
  [11, ['groupId']],
  [12, ['groupId']],
  [13, ['groupId']],
  [14, ['groupId']],
  [19, ['topics[].name']],
  [20, ['topics[].name', 'topicNames[]']],
  [21, ['topics[].name']],
  [22, ['transactionalId']],
  [
    24,
    [
      'v3AndBelowTransactionalId',
      'v3AndBelowTopics[].name',
      'transactions[].transactionalId',
      'transactions[].topics[].name',
    ],
  ],
  [25, ['transactionalId', 'groupId']],
  [26, ['transactionalId']],
  [28, ['transactionalId', 'groupId']],
  [37, ['topics[].name']],
  [42, ['groupsNames[]']],
  [47, ['groupId']],
  [68, ['groupId']],
  [76, ['groupId']],
  [78, ['groupId']],
  [79, ['groupId']],
  [88, ['groupId']],
  [91, ['groupId']],
  [92, ['groupId']],
])
/** They move data and leaders, or end transactions: changes of the cluster, which must not be to topics of others either. */
const namingOfCluster: ReadonlyMap<number, readonly string[]> = new Map([
  [27, ['markers[].topics[].name']],
  [34, ['dirs[].topics[].name']],
  [43, ['topicPartitions[].topic']],
  [45, ['topics[].name']],
])
/** Settings of topics and groups, by their type of resource; those of brokers and everything else are the cluster's. */
const settingsKeys = new Set([33, 44])
const ownedResources: ReadonlySet<number> = new Set([2, 32])

const lengthBytes = 4
const startBytes = lengthBytes + 8

export function guardedSocketFactory(inner: ISocketFactory, options: GuardOptions): ISocketFactory {
  return args => guarded(inner(args), options)
}

function guarded(socket: Socket, options: GuardOptions): Socket {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean
  let waiting: Buffer = Buffer.alloc(0)
  return Object.assign(socket, {
    write(chunk: Uint8Array | string, ...rest: unknown[]): boolean {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : Buffer.from(chunk)
      waiting = waiting.length === 0 ? bytes : Buffer.concat([waiting, bytes])
      let end = 0
      while (waiting.length - end >= lengthBytes) {
        const next = end + lengthBytes + waiting.readInt32BE(end)
        if (next > waiting.length) break
        const problem = refusal(waiting.subarray(end, next), options)
        if (problem !== undefined) {
          options.refused(problem)
          socket.destroy(new Error(problem))
          return false
        }
        end = next
      }
      const whole = waiting.subarray(0, end)
      waiting = waiting.subarray(end)
      return whole.length === 0 ? true : write(whole, ...rest.filter(each => typeof each === 'function'))
    },
  })
}

/** Undefined: the request may be sent. */
export function refusal(
  frame: Buffer,
  { prefix, allowsClusterChanges }: Omit<GuardOptions, 'refused'>,
): string | undefined {
  if (frame.length < startBytes) return 'a request without a header'
  const [apiKey, apiVersion] = [frame.readInt16BE(lengthBytes), frame.readInt16BE(lengthBytes + 2)]
  if (harmless.has(apiKey)) return undefined
  const what = apiByKey(apiKey)?.name ?? `API ${apiKey}`
  const own = naming.get(apiKey)
  const fields = own ?? namingOfCluster.get(apiKey)
  const isLookedInto = fields !== undefined || settingsKeys.has(apiKey) || apiKey === metadataKey
  if (own === undefined && !settingsKeys.has(apiKey) && apiKey !== metadataKey && !allowsClusterChanges)
    return `${what} changes more than what this run has made`
  if (!isLookedInto) return undefined
  const body = bodyOf(frame, apiKey, apiVersion)
  if (typeof body === 'string') return `${what}: ${body}`
  if (apiKey === metadataKey) return foreignAmong(what, createdNames(body), prefix)
  if (fields === undefined) {
    const { names, changesCluster } = settingsNames(body)
    if (changesCluster && !allowsClusterChanges) return `${what} changes settings of the cluster`
    return foreignAmong(what, names, prefix)
  }
  const names = fields.flatMap(field => namesAt(body, field.split('.')))
  if (names.length === 0 && needsName(apiKey)) return `${what} names nothing that can be told apart`
  return foreignAmong(what, names, prefix)
}

function foreignAmong(what: string, names: readonly string[], prefix: string): string | undefined {
  const foreign = names.find(name => !name.startsWith(prefix))
  return foreign === undefined ? undefined : `${what} of ${foreign}, which this run has not made`
}

/** What a Metadata request may create. A topic that is named by its id is there already. */
function createdNames(body: Record<string, unknown>): string[] {
  if (body['allowAutoTopicCreation'] === false) return []
  const topics = body['topics'] as readonly { readonly name: string | null }[] | null
  return topics?.flatMap(({ name }) => (name === null ? [] : [name])) ?? []
}

/** An idempotent producer without transactions names nothing: InitProducerId. Heartbeats of nobody do not exist. */
function needsName(apiKey: number): boolean {
  return apiKey !== 22
}

function bodyOf(frame: Buffer, apiKey: number, apiVersion: number): Record<string, unknown> | string {
  const exchange = messagesOf(apiKey)
  const api = apiByKey(apiKey)
  if (exchange === undefined || api === undefined || apiVersion < api.minVersion || apiVersion > api.maxVersion)
    return `version ${apiVersion} is not known here, so it cannot be told what it touches`
  const reader = new Reader(frame.subarray(lengthBytes))
  try {
    decodeRequestHeader(reader)
    return codec(exchange.request, apiVersion).decode(reader)
  } catch (error) {
    return `its body cannot be read: ${messageOf(error)}`
  }
}

/** Newer versions of some requests name a topic by its id alone. */
const unnamed = 'something that is named by an id'

/** `topics[].name`: the names of all topics. What is null or absent names nothing. */
function namesAt(value: unknown, [field, ...rest]: readonly string[]): string[] {
  if (field === undefined) return typeof value === 'string' && value !== '' ? [value] : []
  if (typeof value !== 'object' || value === null) return []
  const isList = field.endsWith('[]')
  const found = (value as Record<string, unknown>)[isList ? field.slice(0, -2) : field]
  if (!isList) return namesAt(found, rest)
  if (!Array.isArray(found)) return []
  return found.flatMap(each => {
    const names = namesAt(each, rest)
    return names.length === 0 ? [unnamed] : names
  })
}

/** The topics and groups whose settings are changed, and whether there is anything else among them. */
function settingsNames(body: Record<string, unknown>): { readonly names: string[]; readonly changesCluster: boolean } {
  const resources = body['resources'] as readonly { readonly resourceType: number; readonly resourceName: string }[]
  const owned = resources.filter(({ resourceType }) => ownedResources.has(resourceType))
  return { names: owned.map(({ resourceName }) => resourceName), changesCluster: owned.length < resources.length }
}
