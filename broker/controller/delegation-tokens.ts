/**
 * Delegation tokens as operations (KIP-48): made, renewed, ended, swept away. Times are of the wall clock; the ones of requests come with
 * them. Rules as Kafka's DelegationTokenControlManager.
 */
import type { Principal } from '../net/principal.ts'
import { isTokenHmac, tokenHmac } from '../security/authentication/token-hmac.ts'
import type { DelegationTokenRecord, MetadataRecord } from './metadata-record.ts'
import { refuse, type ControllerState, type Operation, type Refusal } from './operation.ts'

export interface CreateTokenInput {
  readonly owner: Principal
  readonly requester: Principal
  /** As text, Type:name. */
  readonly renewers: readonly string[]
  /** 0 or less: delegation.token.max.lifetime.ms. */
  readonly maxLifetimeMs: number
  readonly wallMs: number
}

export interface CreateTokenReply {
  readonly token: DelegationTokenRecord
  readonly hmac: Buffer
}

export interface ChangeTokenInput {
  readonly hmac: Buffer
  /** For so long from now on; what a value below zero means is the operation's affair. */
  readonly periodMs: number
  readonly requester: Principal
  readonly wallMs: number
}

export interface ChangeTokenReply {
  readonly expiryTimestampMs: number
}

const disabled = (): Refusal => refuse('DELEGATION_TOKEN_AUTH_DISABLED', 'Delegation tokens are not enabled.')
const secretOf = ({ config }: ControllerState): string => config['delegation.token.secret.key']
const isOver = (token: DelegationTokenRecord, wallMs: number): boolean =>
  token.maxTimestamp < wallMs || token.expirationTimestamp < wallMs

/** Due every delegation.token.expiry.check.interval.ms. */
export const removeExpiredTokens: Operation<undefined, object> = ({ image, wallMs }) => {
  const records = [...image.delegationTokens.values()]
    .filter(token => isOver(token, wallMs))
    .map(({ tokenId }): MetadataRecord => ({ type: 'RemoveDelegationToken', tokenId }))
  return { records, reply: {}, divisible: true }
}

export const createDelegationToken: Operation<CreateTokenInput, CreateTokenReply> = (state, request) => {
  const secret = secretOf(state)
  if (secret === '') return disabled()
  const { owner, requester, renewers, maxLifetimeMs, wallMs } = request
  const longestMs = state.config['delegation.token.max.lifetime.ms']
  const maxTimestamp = wallMs + (maxLifetimeMs > 0 ? Math.min(maxLifetimeMs, longestMs) : longestMs)
  const token: DelegationTokenRecord = {
    type: 'DelegationToken',
    owner: String(owner),
    requester: String(requester),
    renewers,
    issueTimestamp: wallMs,
    maxTimestamp,
    expirationTimestamp: Math.min(maxTimestamp, wallMs + state.config['delegation.token.expiry.time.ms']),
    // A dash in front would look like an option to tools.
    tokenId: state.random.bytes(16).toString('base64url').replace(/^-/, 'x'),
  }
  const reply = { token, hmac: tokenHmac(secret, token.tokenId) }
  return { records: [token], reply }
}

/** The token of this HMAC, if the requester may change it. */
function find(state: ControllerState, { hmac, requester }: ChangeTokenInput): DelegationTokenRecord | Refusal {
  const secret = secretOf(state)
  if (secret === '') return disabled()
  const token = [...state.image.delegationTokens.values()].find(({ tokenId }) => isTokenHmac(secret, tokenId, hmac))
  if (token === undefined) return refuse('DELEGATION_TOKEN_NOT_FOUND', 'Delegation Token is not found on server.')
  const who = String(requester)
  if (token.owner !== who && !token.renewers.includes(who))
    return refuse('DELEGATION_TOKEN_OWNER_MISMATCH', 'The requester is neither owner nor renewer of the token.')
  return token
}

const over = (): Refusal => refuse('DELEGATION_TOKEN_EXPIRED', 'Delegation Token is expired.')

export const renewDelegationToken: Operation<ChangeTokenInput, ChangeTokenReply> = (state, request) => {
  const token = find(state, request)
  if ('refused' in token) return token
  const { periodMs, wallMs } = request
  if (isOver(token, wallMs)) return over()
  const longestMs = state.config['delegation.token.expiry.time.ms']
  const untilMs = wallMs + (periodMs > 0 ? Math.min(periodMs, longestMs) : longestMs)
  return prolonged(token, Math.min(token.maxTimestamp, untilMs))
}

/** Below zero: at once. */
export const expireDelegationToken: Operation<ChangeTokenInput, ChangeTokenReply> = (state, request) => {
  const token = find(state, request)
  if ('refused' in token) return token
  const { periodMs, wallMs } = request
  if (periodMs < 0)
    return {
      records: [{ type: 'RemoveDelegationToken', tokenId: token.tokenId }],
      reply: { expiryTimestampMs: wallMs },
    }
  if (isOver(token, wallMs)) return over()
  return prolonged(token, Math.min(token.maxTimestamp, wallMs + periodMs))
}

function prolonged(token: DelegationTokenRecord, expirationTimestamp: number) {
  return { records: [{ ...token, expirationTimestamp }], reply: { expiryTimestampMs: expirationTimestamp } }
}
