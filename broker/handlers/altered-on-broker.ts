/**
 * What of AlterConfigs and IncrementalAlterConfigs a broker decides itself before it forwards the rest to the active controller (KIP-590):
 * log levels are its own and nobody else's, and settings of a broker are altered by way of that broker, which refuses what it cannot use.
 * Messages as Kafka's
 * ConfigAdminManager and RuntimeLoggerManager.
 */
import { configResourceTypeOf } from '../controller/image-to-records.ts'
import { errorFields, itemError, type ItemError } from '../controller/operation.ts'
import { alterOperation } from '../controller/alter-configs.ts'
import { NetworkError, type LogLevels } from '../environment/environment.ts'
import { codec } from '../protocol/codec.ts'
import { decodeRequestHeader, decodeResponseHeader, encodeRequestFrame } from '../protocol/headers.ts'
import type { EncodableFields, Fields, Message } from '../protocol/schema.ts'
import { Reader } from '../protocol/reader.ts'
import { clusterName } from '../security/authorization/acl.ts'
import { brokerSettingsRefusal } from './broker-settings-check.ts'
import type { RequestContext } from './handler.ts'

const sizePrefixBytes = 4
/** ConfigResource.Type of Kafka. */
export const brokerLoggerType = 8

interface Resource {
  readonly resourceType: number
  readonly resourceName: string
  readonly configs: readonly {
    readonly name: string
    readonly value: string | null
    readonly configOperation?: number
  }[]
}

export interface AlteredResource {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly resourceType: number
  readonly resourceName: string
}

interface Alteration {
  readonly resources: readonly Resource[]
  readonly validateOnly: boolean
}

/** Answers what is this broker's to answer, and has the controller answer the rest. Never rejects for want of a controller. */
export async function alterByBroker<Q extends Fields, S extends Fields>(
  request: Alteration,
  context: RequestContext,
  [requestMessage, responseMessage]: readonly [Message<Q>, Message<S>],
): Promise<AlteredResource[]> {
  const keys = request.resources.map(resource => `${resource.resourceType}/${resource.resourceName}`)
  const own = request.resources.map((resource, index) => {
    const twice = keys.indexOf(keys[index] ?? '') !== keys.lastIndexOf(keys[index] ?? '')
    return twice
      ? itemError('INVALID_REQUEST', 'Each resource must appear at most once.')
      : ownAnswer(resource, request.validateOnly, context)
  })
  const rest = request.resources.filter((_, index) => own[index] === undefined)
  const answers = rest.length === 0 ? [] : await forwarded()
  return request.resources.map(({ resourceType, resourceName }, index) => {
    const answer = own[index]
    if (answer !== undefined)
      return { ...errorFields(answer === 'done' ? undefined : answer), resourceType, resourceName }
    const found = answers.find(each => each.resourceType === resourceType && each.resourceName === resourceName)
    return found ?? { ...errorFields(itemError('UNKNOWN_SERVER_ERROR')), resourceType, resourceName }
  })

  async function forwarded(): Promise<readonly AlteredResource[]> {
    const { apiKey: key, apiVersion: version, connection, services } = context
    const { correlationId, clientId } = decodeRequestHeader(new Reader(context.frame))
    const header = { version, correlationId, clientId: clientId ?? null }
    const body = { ...request, resources: rest } as unknown as EncodableFields<Q>
    const frame = Buffer.concat(encodeRequestFrame(header, requestMessage, body)).subarray(sizePrefixBytes)
    const { forwarder } = services.broker ?? {}
    if (forwarder === undefined) throw new Error('a request to forward came to a node without the role broker')
    try {
      const reader = new Reader(Buffer.concat(await forwarder.forward({ frame, connection })))
      decodeResponseHeader(reader, { key, version })
      const decoded: unknown = codec(responseMessage, version).decode(reader)
      return (decoded as { readonly responses: readonly AlteredResource[] }).responses
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      const failure = errorFields(itemError('REQUEST_TIMED_OUT', error.message))
      return rest.map(({ resourceType, resourceName }) => ({ ...failure, resourceType, resourceName }))
    }
  }
}

/** Undefined: the controller's to answer. */
function ownAnswer(resource: Resource, validateOnly: boolean, context: RequestContext): ItemError | 'done' | undefined {
  const { nodeId } = context.services
  const { resourceName: name } = resource
  if (resource.resourceType === brokerLoggerType) return alterLoggers(resource, validateOnly, context)
  if (configResourceTypeOf(resource.resourceType) !== 'broker') return undefined
  if (name === '') return brokerSettingsRefusal(resource, context)
  if (!/^[+-]?\d+$/.test(name)) {
    return itemError('INVALID_REQUEST', `Node id must be an integer, but it is: ${name}`)
  }
  if (Number(name) !== nodeId) {
    return itemError('INVALID_REQUEST', `Unexpected broker id, expected ${nodeId}, but received ${name}`)
  }
  return brokerSettingsRefusal(resource, context)
}

function alterLoggers(resource: Resource, validateOnly: boolean, context: RequestContext): ItemError | 'done' {
  const { nodeId } = context.services
  const { resourceName: name, configs } = resource
  const levels = context.environment.log.levels
  if (!context.authorize('AlterConfigs', 'Cluster', clusterName)) return itemError('CLUSTER_AUTHORIZATION_FAILED')
  if (!/^[+-]?\d+$/.test(name)) {
    return itemError('INVALID_REQUEST', `Node id must be an integer, but it is: ${name}`)
  }
  if (Number(name) !== nodeId) {
    return itemError('INVALID_REQUEST', `Unexpected node id. Expected ${nodeId}, but received ${name}`)
  }
  if (levels === undefined || configs.some(({ configOperation }) => configOperation === undefined)) {
    return itemError('INVALID_REQUEST', `Unknown resource type ${resource.resourceType}`)
  }
  for (const config of configs) {
    const invalid = levelError(levels, config)
    if (invalid !== undefined) return invalid
  }
  if (!validateOnly) for (const each of configs) levels.set(each.name, each.value ?? '')
  return 'done'
}

const kafkaLevels = ['ERROR', 'WARN', 'INFO', 'DEBUG', 'TRACE', 'FATAL']

function levelError(levels: LogLevels, change: Resource['configs'][number]): ItemError | undefined {
  const { name, configOperation, value } = change
  const elsewhere = (what: string) =>
    itemError('INVALID_REQUEST', `${what} is not allowed for the BROKER_LOGGER resource`)
  if (configOperation === alterOperation.append) return elsewhere('APPEND operation')
  if (configOperation === alterOperation.subtract) return elsewhere('SUBTRACT operation')
  const isSet = configOperation === alterOperation.set
  if (!isSet && configOperation !== alterOperation.delete) return elsewhere(`Unknown operation type ${configOperation}`)
  if (!levels.all().has(name)) return itemError('INVALID_CONFIG', `Logger ${name} does not exist!`)
  if (!isSet) {
    return itemError('INVALID_REQUEST', `Removing the log level of the ${name} logger is not allowed`)
  }
  if (value !== null && kafkaLevels.includes(value)) return undefined
  const valid = `Valid log levels are ${kafkaLevels.join(', ')}`
  const message = `Cannot set the log level of ${name} to ${value} as it is not a supported log level. ${valid}`
  return itemError('INVALID_CONFIG', message)
}
