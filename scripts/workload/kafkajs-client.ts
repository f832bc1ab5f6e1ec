/**
 * One kafkajs instance per client of a workload, and what its errors mean.
 *
 * kafkajs retries by itself and throws only the last error, so an error says nothing certain about the attempts before it. It does log
 * every failed attempt with its number; the attempts are collected from there, and only if each of them is known and definite may an
 * operation be called failed. Everything else is "nobody knows".
 */
import { Kafka, logLevel, type KafkaConfig, type logCreator } from 'kafkajs'
import { errorName, errorTable, type ErrorName } from '#broker/protocol/errors.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { OperationError } from '../history/operation.ts'
import { endingSpins } from './kafkajs-goodbye.ts'

/** Times that fit a lab: a client that waits 30 s for a dead broker would hide what there is to see. */
export const clientTimes = {
  connectionTimeout: 1_000,
  requestTimeout: 5_000,
  retry: { initialRetryTime: 100, maxRetryTime: 1_000, factor: 0.2, multiplier: 2, retries: 20 },
} satisfies Partial<KafkaConfig>

export class ClientLog {
  #attempts: { message: string; retryCount: number }[] = []

  /** Forgets the attempts of the operation before. */
  begin(): void {
    this.#attempts = []
  }

  /** The failed attempts since `begin`, in order. */
  get attempts(): readonly { message: string; retryCount: number }[] {
    return this.#attempts
  }

  readonly creator: logCreator = () => entry => {
    const { message } = entry.log
    const retryCount: unknown = entry.log['retryCount']
    if (entry.namespace !== 'Producer' || typeof retryCount !== 'number') return
    this.#attempts.push({ message: message.replace('Failed to send messages: ', ''), retryCount })
  }
}

export function kafkaClient(
  cluster: Cluster,
  clientId: string,
  log = new ClientLog(),
  socketFactory?: KafkaConfig['socketFactory'],
): Kafka {
  return new Kafka({
    ...clientTimes,
    ...cluster.kafkaOptions(),
    ...(socketFactory ? { socketFactory } : {}),
    clientId,
    logLevel: logLevel.ERROR,
    logCreator: endingSpins(log.creator),
  })
}

/** What kafkajs calls some errors; the number is Kafka's. */
const messages: Readonly<Record<string, ErrorName>> = {
  'Messages are rejected since there are fewer in-sync replicas than required': 'NOT_ENOUGH_REPLICAS',
  'There is no leader for this topic-partition as we are in the middle of a leadership election':
    'LEADER_NOT_AVAILABLE',
}

/** Turns what kafkajs threw from a send into an error that says whether the operation certainly did not happen. */
export function sendError(thrown: unknown, log: ClientLog): OperationError {
  const error = innermost(thrown)
  const named = protocolError(error)
  const code = named ?? (error instanceof Error ? error.name : 'UNKNOWN')
  const message = error instanceof Error ? error.message : String(error)
  const { attempts } = log
  const retries = attempts.at(-1)?.retryCount ?? 0
  const allKnown = attempts.length === retries + 1
  const allDefinite = attempts.every(attempt => isDefinite(messages[attempt.message]))
  // A refusal that kafkajs does not retry is the only attempt there was, if it is the one that was logged: else it was of what kafkajs did
  // after an attempt, such as to connect again, which it does not always log.
  const isOnlyAttempt = retries === 0 && attempts.length === 1 && attempts[0]?.message === message
  const refusedAtOnce = isOnlyAttempt && isDefinite(named)
  return { code, message, definite: refusedAtOnce || (allKnown && allDefinite) }
}

function isDefinite(name: ErrorName | undefined): boolean {
  return name !== undefined && errorTable[name].definite
}

/** kafkajs wraps errors in "number of retries exceeded" and "not retriable"; the cause is what happened. */
function innermost(thrown: unknown): unknown {
  let error = thrown
  while (error instanceof Error && error.cause instanceof Error && error.cause !== error) error = error.cause
  return error
}

function protocolError(error: unknown): ErrorName | undefined {
  if (!(error instanceof Error) || error.name !== 'KafkaJSProtocolError') return undefined
  const code: unknown = 'code' in error ? error.code : undefined
  return typeof code === 'number' ? errorName(code) : undefined
}
