/**
 * How long a client has to wait for the quotas its request used (KIP-13, KIP-124, KIP-219): the wait is told in the response, which leaves at
 * once, and the connection is not read until it is over. Requests between nodes are exempt.
 */
import { quotaKeys } from '../security/quotas/quota-limits.ts'
import type { QuotaSubject, ClientQuotas, MutationQuota } from '../security/quotas/client-quotas.ts'
import type { Handler, RequestContext } from './handler.ts'

const produceKey = 0
const fetchKey = 1

export function subjectOf({ connection, clientId }: RequestContext): QuotaSubject {
  return { user: connection.principal.name, clientId: clientId ?? '' }
}

/** Counts what every request uses: time, and for Produce its bytes. @returns how long the client has to wait for it, ms */
export function recordRequest(
  quotas: ClientQuotas,
  { handler, request, tookMs }: { handler: Handler; request: unknown; tookMs: number },
  context: RequestContext,
): number {
  const nowMs = context.environment.clock.monotonicMs()
  const subject = subjectOf(context)
  const forBytes =
    handler.apiKey === produceKey ? quotas.record(quotaKeys.produce, subject, context.frame.length, nowMs) : 0
  const forTime = isExempt(handler, request, context) ? 0 : quotas.recordRequestMs(subject, tookMs, nowMs)
  return Math.max(forBytes, forTime)
}

function isExempt(handler: Handler, request: unknown, { connection }: RequestContext): boolean {
  if (connection.listenerKind === 'controller' && handler.apiKey === fetchKey) return true
  if (handler.apiKey === fetchKey) return isFollowerFetch(request as FetchedBy)
  if (handler.apiKey === produceKey && (request as { acks: number }).acks === 0) return true
  if (handler.authorization === 'anyone') return false
  return handler.authorization.some(
    ({ scope, operation, nameOf }) => scope === 'request' && operation === 'ClusterAction' && nameOf === undefined,
  )
}

interface FetchedBy {
  readonly replicaId: number
  readonly replicaState: { readonly replicaId: number }
}

function isFollowerFetch({ replicaId, replicaState }: FetchedBy): boolean {
  return replicaId >= 0 || replicaState.replicaId >= 0
}

/** Bytes a consumer's fetch may bring at most. */
export function fetchLimitBytes(context: RequestContext): number {
  const { quotas } = context.services
  return quotas?.limits.has(quotaKeys.fetch) === true ? quotas.maxFetchBytes(subjectOf(context)) : Infinity
}

/**
 * Counts the bytes a consumer is about to get. False when it has to wait: then it gets none of them, and they do not count.
 */
export function mayFetch(bytes: number, context: RequestContext): boolean {
  const { quotas } = context.services
  if (quotas?.limits.has(quotaKeys.fetch) !== true) return true
  const nowMs = context.environment.clock.monotonicMs()
  const subject = subjectOf(context)
  const waitMs = quotas.record(quotaKeys.fetch, subject, bytes, nowMs)
  if (waitMs === 0) return true
  quotas.unrecord(quotaKeys.fetch, subject, bytes, nowMs)
  context.throttle(waitMs)
  return false
}

const unlimited: MutationQuota = { take: () => true, throttleMs: () => 0 }

/** The quota on changes of metadata (KIP-599), strict from a version of each API on: older clients do not know the refusal. */
export function mutationQuota(context: RequestContext, strictSince: number): MutationQuota {
  const { quotas } = context.services
  if (quotas?.limits.has(quotaKeys.controllerMutation) !== true) return unlimited
  const { clock } = context.environment
  return quotas.mutation(subjectOf(context), context.apiVersion >= strictSince, () => clock.monotonicMs())
}
