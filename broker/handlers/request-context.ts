/** What a handler knows of the request it serves, made once per request by dispatch. */
import type { BrokerConfig } from '../config/broker-config.ts'
import type { Environment } from '../environment/environment.ts'
import type { Reply } from '../net/connection.ts'
import type { Loan, MemoryPool } from '../net/memory-pool.ts'
import type { RequestHeader } from '../protocol/headers.ts'
import { operationCodes, operationsOf, type AclOperation, type ResourceType } from '../security/authorization/acl.ts'
import type { Purpose } from '../security/authorization/authorizer.ts'
import type { ConnectionInfo, RequestContext } from './handler.ts'
import type { Services } from './services.ts'

/** What a response can say: a quota far exceeded asks for more than the 25 days of an int32 of milliseconds. */
const throttleMsMax = 2 ** 31 - 1

export class ServedRequest implements RequestContext {
  readonly apiKey: number
  readonly apiVersion: number
  readonly clientId: string | null
  readonly frame: Buffer
  readonly connection: ConnectionInfo
  readonly services: Services
  readonly config: BrokerConfig
  readonly environment: Environment
  readonly receivedMs: number
  /** Monotonic ms when the handler gave the loop back: what it did until then took this node's time. */
  handledMs: number | undefined
  /** What it did later, in steps, ms. */
  #laterMs = 0
  /** Longest wait for a quota so far, ms. */
  throttleMs = 0
  readonly #pool: MemoryPool
  #loan: Loan | undefined

  constructor(
    header: RequestHeader,
    frame: Buffer,
    connection: ConnectionInfo,
    node: {
      readonly services: Services
      readonly config: BrokerConfig
      readonly environment: Environment
      readonly memory: MemoryPool
    },
  ) {
    this.apiKey = header.requestApiKey
    this.apiVersion = header.requestApiVersion
    this.clientId = header.clientId
    this.frame = frame
    this.connection = connection
    this.services = node.services
    this.config = node.config
    this.environment = node.environment
    this.receivedMs = node.environment.clock.monotonicMs()
    this.#pool = node.memory
  }

  /** How long this node was busy with the request, ms. */
  get tookMs(): number {
    return (this.handledMs ?? this.receivedMs) - this.receivedMs + this.#laterMs
  }

  worked(durationMs: number): void {
    if (this.handledMs !== undefined) this.#laterMs += durationMs
  }

  get memory(): Loan {
    this.#loan ??= this.#pool.lend()
    return this.#loan
  }

  /** The memory of this request may be used again as soon as the reply, if there is one, has been written. */
  giveBackWith(reply: Reply): Reply {
    const loan = this.#loan
    if (loan?.isUsed !== true) return reply
    if (reply !== undefined) return Object.assign(reply, { written: () => loan.giveBack() })
    loan.giveBack()
    return undefined
  }

  authorize(operation: AclOperation, resourceType: ResourceType, name: string, purpose: Purpose = 'access'): boolean {
    const { authorizer } = this.services
    return authorizer === undefined || authorizer.authorize(this.connection, operation, resourceType, name, purpose)
  }

  authorizeByResourceType(operation: AclOperation, resourceType: ResourceType): boolean {
    const { authorizer } = this.services
    return authorizer === undefined || authorizer.authorizeByResourceType(this.connection, operation, resourceType)
  }

  throttle(durationMs: number): void {
    this.throttleMs = Math.max(this.throttleMs, Math.min(Math.round(durationMs), throttleMsMax))
  }

  authorizedOperations(resourceType: ResourceType, name: string): number {
    return operationsOf[resourceType].reduce(
      (set, operation) =>
        this.authorize(operation, resourceType, name, 'filter') ? set | (1 << operationCodes[operation]) : set,
      0,
    )
  }
}
