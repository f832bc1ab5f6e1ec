/**
 * The form of everything the active controller does: a pure function of the state (everything proposed so far), a request and the time,
 * which yields records and a reply. Must never have another effect, except on the heartbeat table, which is lost with leadership anyway.
 * The reply may leave only when the records, and all before them, are committed.
 */
import type { BrokerConfig } from '../config/broker-config.ts'
import type { Random } from '../environment/environment.ts'
import { errorCode, errorMessage, type ErrorName } from '../protocol/errors.ts'
import type { BrokerHeartbeats } from './broker-heartbeats.ts'
import type { BrokerImage, MetadataImage } from './image.ts'
import type { MetadataRecord } from './metadata-record.ts'

export interface ControllerState {
  /** With everything proposed, committed or not. */
  readonly image: MetadataImage
  readonly heartbeats: BrokerHeartbeats
  readonly config: BrokerConfig
  readonly nodeId: number
  readonly random: Random
  readonly nowMs: number
  readonly wallMs: number
  /** Offset of the first record that this operation writes. */
  readonly nextOffset: number
}

export interface Outcome<Reply> {
  readonly records: readonly MetadataRecord[]
  readonly reply: Reply
  /** The records need not be one atomic batch (they may be more than fit into one). */
  readonly divisible?: boolean
}

/** A request refused as a whole. */
export interface Refusal {
  readonly refused: ErrorName
  readonly message: string
}

export type Operation<Request, Reply> = (state: ControllerState, request: Request) => Outcome<Reply> | Refusal

/** One item of a request refused: a topic, a resource, a partition. */
export interface ItemError {
  readonly error: ErrorName
  readonly message: string | null
}

export function refuse(refused: ErrorName, message: string): Refusal {
  return { refused, message }
}

export function isRefusal(value: object): value is Refusal {
  return 'refused' in value
}

export function itemError(error: ErrorName, message: string | null = null): ItemError {
  return { error, message }
}

/** As the fields of Kafka's responses. */
export function errorFields(failure: ItemError | undefined): { errorCode: number; errorMessage: string | null } {
  if (failure === undefined) return { errorCode: 0, errorMessage: null }
  return { errorCode: errorCode(failure.error), errorMessage: failure.message }
}

/**
 * What is left of a user's quota on changes of partitions (KIP-599). Kept outside the state, like the heartbeat table: it is no one else's
 * business, and gone with this controller.
 */
export interface PartitionQuota {
  /** False: exceeded; nothing was taken. */
  take(partitions: number): boolean
}

/** Why these partitions may not be changed now. */
export function takePartitions(quota: PartitionQuota | undefined, partitions: number): ItemError | undefined {
  return quota === undefined || quota.take(partitions)
    ? undefined
    : itemError('THROTTLING_QUOTA_EXCEEDED', errorMessage('THROTTLING_QUOTA_EXCEEDED'))
}

/** Most records one request of a user may make, as in Kafka. */
export const maxRecordsPerUserOperation = 10_000

/** Registered, not fenced, not shutting down: may lead and be in sync. */
export function isActive(image: MetadataImage, brokerId: number): boolean {
  const broker = image.brokers.get(brokerId)
  return broker !== undefined && !broker.fenced && !broker.inControlledShutdown
}

/** The registration of the sender, or the refusal it gets when it is not the one that is registered now. */
export function checkBrokerEpoch(image: MetadataImage, brokerId: number, brokerEpoch: number): BrokerImage | Refusal {
  const broker = image.brokers.get(brokerId)
  if (broker === undefined)
    return refuse('STALE_BROKER_EPOCH', `No broker registration found for broker id ${brokerId}`)
  if (broker.epoch !== brokerEpoch) {
    return refuse('STALE_BROKER_EPOCH', `Expected broker epoch ${broker.epoch}, but got broker epoch ${brokerEpoch}`)
  }
  return broker
}
