/**
 * From a request frame to the chunks of its response: header, handler by API key, codec by version, forwarding, errors. An API key or
 * version that this listener does not serve closes the connection, as in Kafka; only ApiVersions answers every version, so that clients
 * can find out.
 */
import type { BrokerConfig } from '../config/broker-config.ts'
import type { Environment } from '../environment/environment.ts'
import type { Reply } from '../net/connection.ts'
import { frame as framed } from '../net/framer.ts'
import { MemoryPool } from '../net/memory-pool.ts'
import { RequestLedger } from '../observe/request-ledger.ts'
import { apiByKey } from '../protocol/apis.ts'
import { codec } from '../protocol/codec.ts'
import { errorCode, errorMessage, ProtocolError, type ErrorName } from '../protocol/errors.ts'
import {
  decodeRequestHeader,
  decodeResponseHeader,
  encodeResponseFrame,
  type RequestHeader,
} from '../protocol/headers.ts'
import { messagesOf, type Exchange } from '../protocol/messages/index.ts'
import { Reader } from '../protocol/reader.ts'
import { clusterName, refusalOf } from '../security/authorization/acl.ts'
import { AuthorizerNotReadyError } from '../security/authorization/authorizer.ts'
import { quotaKeys } from '../security/quotas/quota-limits.ts'
import { noReply, type ConnectionInfo, type Handler, type RequestContext } from './handler.ts'
import { advertisedRange, apiVersionsKey } from './18-api-versions.ts'
import { ServedRequest } from './request-context.ts'
import type { Dispatch, Services } from './services.ts'
import { recordRequest } from './throttling.ts'

const framePrefixBytes = 4
const produceKey = 0
/** A request may hold so many elements of arrays. More than any client sends, and a frame of 100 MiB has room for enough to fill our memory. */
const requestElementsMax = 2_000_000
/** AlterConfigs and IncrementalAlterConfigs: a broker answers its part itself and forwards the rest. */
const forwardedInPart: ReadonlySet<number> = new Set([33, 44])

function exchangeOf(header: RequestHeader): Exchange {
  const exchange = messagesOf(header.requestApiKey)
  if (exchange === undefined) throw new ProtocolError(`unknown API key ${header.requestApiKey}`)
  return exchange
}

/** Why the request as a whole is refused: the first of the rights it needs as a whole that the sender lacks. */
function unauthorized(handler: Handler, request: never, context: RequestContext): ErrorName | undefined {
  if (handler.authorization === 'anyone') return undefined
  for (const { scope, operation, resourceType, nameOf } of handler.authorization) {
    if (scope === 'resource') continue
    const name = nameOf === undefined ? clusterName : nameOf(request, context)
    if (name !== undefined && !context.authorize(operation, resourceType, name)) return refusalOf[resourceType]
  }
  return undefined
}

export class Dispatcher implements Dispatch {
  readonly ledger = new RequestLedger()
  readonly #environment: Environment
  readonly #config: BrokerConfig
  readonly #handlers: Readonly<Record<ConnectionInfo['listenerKind'], ReadonlyMap<number, Handler>>>
  readonly #memory = new MemoryPool()
  #services: Services | undefined

  constructor(environment: Environment, config: BrokerConfig, handlers: readonly Handler[]) {
    this.#environment = environment
    this.#config = config
    const of = (kind: ConnectionInfo['listenerKind']) =>
      new Map(handlers.filter(each => each.listeners.includes(kind)).map(each => [each.apiKey, each]))
    this.#handlers = { broker: of('broker'), controller: of('controller') }
  }

  /** Services and dispatcher know each other; the node closes the circle here, before the first request. */
  attach(services: Services): void {
    this.#services = services
  }

  apiVersions(connection: ConnectionInfo): readonly { apiKey: number; minVersion: number; maxVersion: number }[] {
    return [...this.#handlers[connection.listenerKind].values()]
      .map(each => advertisedRange(each, connection.listenerKind))
      .sort((left, right) => left.apiKey - right.apiKey)
  }

  /**
   * The response to one frame: at once, later, or none. ProtocolError: close the connection. The frame is memory that is read into again:
   * only Produce works on it as it is, since it has written its records when `handle` returns; all others get a copy they may keep.
   */
  serve(bytes: Buffer, connection: ConnectionInfo): Reply | Promise<Reply> {
    const frame = bytes.length >= 2 && bytes.readInt16BE(0) === produceKey ? bytes : Buffer.from(bytes)
    const reader = new Reader(frame)
    reader.elementsLeft = requestElementsMax
    const header = decodeRequestHeader(reader)
    const handler = this.#handlers[connection.listenerKind].get(header.requestApiKey)
    if (handler === undefined) throw new ProtocolError(this.#stranger(header, connection))
    const [minimum, maximum] = handler.versions
    if (header.requestApiVersion < minimum || header.requestApiVersion > maximum) {
      if (header.requestApiKey === apiVersionsKey) return this.#unsupportedApiVersions(header, connection)
      throw new ProtocolError(`${this.#stranger(header, connection)}; versions ${minimum} to ${maximum} are served`)
    }
    this.ledger.served(header.requestApiKey, header.requestApiVersion, connection.clientSoftware.name)
    const context = this.#context(header, frame, connection)
    const { authorizer } = context.services
    if (authorizer?.isLoaded === false && !this.#opensEarly(connection.listenerName)) {
      const kept = Buffer.from(bytes)
      return authorizer.whenLoaded.then(() => this.serve(kept, connection))
    }
    const request = this.#decode(reader, header)
    handler.check?.(request)
    if (handler.forwardToController === true && connection.listenerKind === 'broker')
      return this.#forward(handler, request, context, header)
    return this.#handle(handler, request, context, header)
  }

  /**
   * Whether a listener serves before the authorizer has its entries; without the setting, controller listeners do: the quorum needs them to
   * get at the entries.
   */
  #opensEarly(listenerName: string): boolean {
    const early = this.#config['early.start.listeners']
    return (early.length === 0 ? this.#config['controller.listener.names'] : early).includes(listenerName)
  }

  /** The reply that refuses a request as a whole; none for a request that is not served here at all. */
  refuse(frame: Buffer, connection: ConnectionInfo, error: ErrorName, message: string): Reply {
    const reader = new Reader(frame)
    const header = decodeRequestHeader(reader)
    const handler = this.#handlers[connection.listenerKind].get(header.requestApiKey)
    if (handler === undefined) return undefined
    const [minimum, maximum] = handler.versions
    if (header.requestApiVersion < minimum || header.requestApiVersion > maximum) return undefined
    const context = this.#context(header, frame, connection)
    return this.#encode(header, handler.fail(this.#decode(reader, header), error, message, context))
  }

  async serveEmbedded(frame: Buffer, connection: ConnectionInfo): Promise<readonly Uint8Array[]> {
    const apiKey = frame.length >= 2 ? frame.readInt16BE(0) : -1
    const isForwarded = this.#handlers[connection.listenerKind].get(apiKey)?.forwardToController === true
    if (!isForwarded && !forwardedInPart.has(apiKey))
      throw new ProtocolError(`API key ${apiKey} is not one that brokers forward`)
    const reply = await this.serve(frame, connection)
    const response = Buffer.concat(reply ?? [])
    reply?.written?.()
    return [response.subarray(framePrefixBytes)]
  }

  #decode(reader: Reader, header: RequestHeader): never {
    return codec(exchangeOf(header).request, header.requestApiVersion).decode(reader) as never
  }

  #context(header: RequestHeader, frame: Buffer, connection: ConnectionInfo): ServedRequest {
    if (this.#services === undefined) throw new Error('a request came before the node was put together')
    const node = {
      services: this.#services,
      config: this.#config,
      environment: this.#environment,
      memory: this.#memory,
    }
    return new ServedRequest(header, frame, connection, node)
  }

  #handle(handler: Handler, request: never, context: ServedRequest, header: RequestHeader): Reply | Promise<Reply> {
    const answer = (response: object | typeof noReply) => this.#answer(handler, request, response, context, header)
    try {
      const refusal = context.services.authorizer === undefined ? undefined : unauthorized(handler, request, context)
      if (refusal !== undefined) return answer(handler.fail(request, refusal, errorMessage(refusal), context))
      const result = handler.handle(request, context)
      context.handledMs = this.#environment.clock.monotonicMs()
      if (!(result instanceof Promise)) return answer(result)
      return result.then(answer, (error: unknown) => this.#failed(handler, request, context, header, error))
    } catch (error) {
      return this.#failed(handler, request, context, header, error)
    }
  }

  /** The reply, with the wait for quotas in it; that wait begins now, for the connection. */
  #answer(
    handler: Handler,
    request: never,
    response: object | typeof noReply,
    context: ServedRequest,
    header: RequestHeader,
  ): Reply {
    const { quotas } = context.services
    if (quotas?.isActive === true) {
      const { tookMs } = context
      context.throttle(recordRequest(quotas, { handler, request, tookMs }, context))
    }
    const { throttleMs } = context
    if (throttleMs > 0) context.connection.mute(throttleMs)
    if (response === noReply) return context.giveBackWith(undefined)
    return context.giveBackWith(
      this.#encode(header, throttleMs > 0 ? { ...response, throttleTimeMs: throttleMs } : response),
    )
  }

  /** A handler that throws has a bug or met a fault nobody foresaw: the client gets an answer, the log the whole story. */
  #failed(handler: Handler, request: never, context: ServedRequest, header: RequestHeader, error: unknown): Reply {
    context.giveBackWith(undefined)
    if (error instanceof ProtocolError) throw error
    // Whoever asks so early asks again.
    if (error instanceof AuthorizerNotReadyError)
      return this.#encode(header, handler.fail(request, 'UNKNOWN_SERVER_ERROR', error.message, context))
    const name = apiByKey(handler.apiKey)?.name ?? String(handler.apiKey)
    this.ledger.failed(handler.apiKey, context.apiVersion, context.connection.clientSoftware.name)
    this.#environment.log.error('a request failed', {
      api: name,
      version: context.apiVersion,
      client: context.clientId,
      error,
    })
    return this.#encode(header, handler.fail(request, 'UNKNOWN_SERVER_ERROR', (error as Error).message, context))
  }

  #forward(handler: Handler, request: never, context: RequestContext, header: RequestHeader): Promise<Reply> {
    const forwarder = context.services.broker?.forwarder
    if (forwarder === undefined) throw new ProtocolError('a request to forward came to a node without the role broker')
    return forwarder.forward(context).then(
      response => {
        this.#muteLike(response, context, header)
        return framed(response)
      },
      (error: Error) => {
        this.#environment.log.warn('could not forward a request to the controller', { reason: error.message })
        const refusal: ErrorName = 'REQUEST_TIMED_OUT'
        return this.#encode(header, handler.fail(request, refusal, error.message, context))
      },
    )
  }

  /** Changes of metadata are measured on the controller, but the client waits here. */
  #muteLike(response: readonly Uint8Array[], context: RequestContext, header: RequestHeader): void {
    if (context.services.quotas?.limits.has(quotaKeys.controllerMutation) !== true) return
    const reader = new Reader(Buffer.concat(response))
    decodeResponseHeader(reader, { key: header.requestApiKey, version: header.requestApiVersion })
    const body = codec(exchangeOf(header).response, header.requestApiVersion).decode(reader)
    const { throttleTimeMs } = body as { throttleTimeMs?: number }
    if (throttleTimeMs !== undefined) context.connection.mute(throttleTimeMs)
  }

  #encode(header: RequestHeader, response: object): readonly Uint8Array[] {
    const { correlationId, requestApiVersion: version } = header
    try {
      return encodeResponseFrame({ version, correlationId }, exchangeOf(header).response, response as never)
    } catch (error) {
      // The fault is ours, not the client's.
      throw new Error(`a response that its version cannot carry: ${(error as Error).message}`, { cause: error })
    }
  }

  /** ApiVersions in a version we do not know is answered in version 0, with what we do know of ApiVersions itself (KIP-511). */
  #unsupportedApiVersions(header: RequestHeader, connection: ConnectionInfo): Reply {
    const apiKeys = this.apiVersions(connection).filter(({ apiKey }) => apiKey === apiVersionsKey)
    return this.#encode({ ...header, requestApiVersion: 0 }, { errorCode: errorCode('UNSUPPORTED_VERSION'), apiKeys })
  }

  #stranger(header: RequestHeader, connection: ConnectionInfo): string {
    const name = apiByKey(header.requestApiKey)?.name ?? 'unknown API'
    const where = `${connection.listenerKind} listener ${connection.listenerName}`
    return `${name} (key ${header.requestApiKey}) version ${header.requestApiVersion} is not served on ${where}`
  }
}
