/**
 * The form of a request handler: one file `NN-name.ts` per API key, listed once in registry.ts. A handler translates between the wire and
 * the machines; it decides nothing itself.
 *
 * `handle` is called in the order in which requests came in on a connection. What it does before its first await is therefore ordered
 * (Produce appends there); what it awaits may overlap with later requests of the same connection. Replies leave in request order.
 *
 * Every handler declares in `authorization` which rights its requests need, all of them:
 * - `requestRight('ClusterAction')`, `requestRight('Read', 'Group', request => request.groupId)`: a right on the cluster, or on the one resource
 *   that the request is about, without which the whole request is refused. Dispatch asks for it before `handle`, in the order of the list, and
 *   answers with `fail`: CLUSTER_AUTHORIZATION_FAILED, GROUP_AUTHORIZATION_FAILED and so on. A request that is forwarded is asked about on the
 *   controller, for its original sender.
 * - `right('Read', 'Topic')`: the handler itself asks `context.authorize('Read', 'Topic', name)` for each resource the request names, before it
 *   does anything for that resource, and refuses or hides the ones it may not touch as Kafka does.
 * - `'anyone'`: whoever has a connection. A decision to state, not a default.
 * tests/broker/handlers/authorization-cases.ts has a refused and a permitted case for every registered API, and fails for one without.
 */
import type { Environment } from '../environment/environment.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import type { SecurityProtocol } from '../config/listeners.ts'
import type { ReadMemory } from '../log/log.ts'
import type { Principal } from '../net/principal.ts'
import type { ErrorName } from '../protocol/errors.ts'
import type { AclOperation, ResourceType } from '../security/authorization/acl.ts'
import type { Purpose } from '../security/authorization/authorizer.ts'
import type { Services } from './services.ts'

export type ListenerKind = 'broker' | 'controller'

export interface RequestContext {
  readonly apiKey: number
  readonly apiVersion: number
  readonly clientId: string | null
  /** The whole request frame, header included, for forwarding. */
  readonly frame: Buffer
  readonly connection: ConnectionInfo
  readonly services: Services
  readonly config: BrokerConfig
  readonly environment: Environment
  /** Monotonic ms when the request was read. */
  readonly receivedMs: number
  /** Work on the request took so long: counted when it was done after the handler had given the event loop back, as before is known. */
  worked(durationMs: number): void
  /** For records that the response passes on; given back by itself when the response has been written, or is given up. */
  readonly memory: ReadMemory
  /**
   * Whether the sender has the right; always without an authorizer. `purpose` is 'filter' where the request did not name the resource and only
   * learns which ones there are.
   */
  authorize(operation: AclOperation, resourceType: ResourceType, name: string, purpose?: Purpose): boolean
  /** Whether the sender has the right on at least one resource of the type (KIP-679). */
  authorizeByResourceType(operation: AclOperation, resourceType: ResourceType): boolean
  /** The client has to wait so long for a quota: the response says so, and its connection is not read until then. The longest wait counts. */
  throttle(durationMs: number): void
  /** What the sender may do to the resource: a bit per code of AclOperation (KIP-430). */
  authorizedOperations(resourceType: ResourceType, name: string): number
}

export interface ClientSoftware {
  readonly name: string
  readonly version: string
}

export interface ConnectionInfo {
  /** Unique in this process. */
  readonly id: number
  readonly listenerName: string
  readonly listenerKind: ListenerKind
  readonly securityProtocol: SecurityProtocol
  readonly clientHost: string
  readonly clientPort: number
  /** Who the client is. On a SASL listener User:ANONYMOUS until it has authenticated, so read it when it is needed. */
  readonly principal: Principal
  /** The request came through a broker, which has looked at it (KIP-590). */
  readonly isForwarded?: true
  /** What the client said of itself in ApiVersions v3+ (KIP-511); `unknown` until then. */
  readonly clientSoftware: ClientSoftware
  toldClientSoftware(software: ClientSoftware): void
  /** Begins no further request of this connection for so long (KIP-219). */
  mute(durationMs: number): void
  /** Bytes that a consumer's reply had better stay below just now, because others are held for clients that do not take them. */
  replyRoomBytes(): number
  /** Runs once when the connection is gone, so that parked requests are dropped; the function returned takes `run` back. */
  onClose(run: () => void): () => void
  isOpen(): boolean
}

/** Returned instead of a response when the protocol has none (Produce with acks=0). */
export const noReply: unique symbol = Symbol('noReply')

/** A right that a request needs. */
export interface Right<Request = never> {
  readonly operation: AclOperation
  readonly resourceType: ResourceType
  /** Who asks for it: dispatch, once for the request, or the handler, for each resource. */
  readonly scope: 'request' | 'resource'
  /** The resource dispatch asks about; default: the cluster. Undefined: this request needs no such right. */
  readonly nameOf?: (request: Request, context: RequestContext) => string | undefined
}

export type Authorization<Request = never> = readonly [Right<Request>, ...Right<Request>[]] | 'anyone'

/** A right that the handler asks for with `context.authorize`, per resource. */
export function right(operation: AclOperation, resourceType: ResourceType): Right<unknown> {
  return { operation, resourceType, scope: 'resource' }
}

/** A right on the cluster that dispatch asks for; without it the whole request is refused. */
export function requestRight(operation: AclOperation): Right<unknown>
/** The same for the resource that the whole request is about; none when `nameOf` says undefined. */
export function requestRight<Request>(
  operation: AclOperation,
  resourceType: ResourceType,
  nameOf: (request: Request, context: RequestContext) => string | undefined,
): Right<Request>
export function requestRight<Request>(
  operation: AclOperation,
  resourceType: ResourceType = 'Cluster',
  nameOf?: (request: Request, context: RequestContext) => string | undefined,
): Right<Request> {
  return { operation, resourceType, scope: 'request', ...(nameOf === undefined ? {} : { nameOf }) }
}

export interface Handler<Request = never, Response = object> {
  readonly apiKey: number
  /** Versions this broker serves, a subset of those the message has. */
  readonly versions: readonly [minimum: number, maximum: number]
  readonly listeners: readonly ListenerKind[]
  /** All rights that a request may need; see above. */
  readonly authorization: Authorization<Request>
  /** What Kafka refuses while it reads a request, on whichever listener: throws ProtocolError, which closes the connection. */
  check?(request: Request): void
  /** On a broker listener: wrap into an Envelope and send to the active controller (KIP-590). */
  readonly forwardToController?: boolean
  handle(request: Request, context: RequestContext): Response | typeof noReply | Promise<Response | typeof noReply>
  /** The reply to a request that was refused as a whole (also when `handle` threw). */
  fail(request: Request, error: ErrorName, message: string, context: RequestContext): Response
}

/** Keeps the request and response types inside the file and erases them for the registry. */
export function handler<Request, Response extends object>(definition: Handler<Request, Response>): Handler {
  return definition
}
