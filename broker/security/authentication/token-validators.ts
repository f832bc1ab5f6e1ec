/**
 * Whether a bearer token is good. Signed: a JWT whose signature, issuer, audience and times are checked against the keys of the identity provider
 * (KIP-768); unsecured: a JWT that nobody signed, for tests alone, and only where it was asked for by name (KIP-255).
 */
import { createLocalJWKSet, decodeProtectedHeader, errors, jwtVerify, UnsecuredJWT, type JWTPayload } from 'jose'
import type { Clock } from '../../environment/environment.ts'
import type { KeySource } from './key-source.ts'
import type { RefusedToken, TokenValidator, VerifiedToken } from './oauth-bearer.ts'

export interface SignedTokenOptions {
  readonly keys: KeySource
  readonly clock: Clock
  readonly clockSkewSeconds: number
  readonly audience: readonly string[]
  readonly issuer: string
  readonly subjectClaim: string
  readonly scopeClaim: string
}

export interface UnsecuredTokenOptions {
  readonly clock: Clock
  readonly principalClaim: string
  readonly scopeClaim: string
  readonly requiredScope: readonly string[]
  readonly clockSkewMs: number
}

/** The asymmetric ones: a key that everybody can download signs nothing. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']

export function signedTokens(options: SignedTokenOptions): TokenValidator {
  const { keys, clock, clockSkewSeconds, audience, issuer, subjectClaim, scopeClaim } = options
  const verify = async (token: string): Promise<VerifiedToken | RefusedToken> => {
    const { kid } = decodeProtectedHeader(token)
    const current = createLocalJWKSet(await keys.keys(kid))
    const { payload } = await jwtVerify(token, current, {
      algorithms,
      clockTolerance: clockSkewSeconds,
      currentDate: new Date(clock.wallMs()),
      // What Kafka's validator asks for besides the subject.
      requiredClaims: ['exp', 'iat'],
      ...(audience.length === 0 ? {} : { audience: [...audience] }),
      ...(issuer === '' ? {} : { issuer }),
    })
    if (readScope(payload[scopeClaim]) === undefined) return { reason: `its claim ${scopeClaim} is no scope` }
    return claimsOf(payload, subjectClaim)
  }
  return token => refusing(verify, token)
}

export function unsecuredTokens(options: UnsecuredTokenOptions): TokenValidator {
  const { clock, principalClaim, scopeClaim, requiredScope, clockSkewMs } = options
  // eslint-disable-next-line typescript/require-await -- one form for both kinds
  const verify = async (token: string): Promise<VerifiedToken | RefusedToken> => {
    const { payload } = UnsecuredJWT.decode(token, {
      currentDate: new Date(clock.wallMs()),
      clockTolerance: clockSkewMs / 1000,
      requiredClaims: ['exp'],
    })
    const scope = readScope(payload[scopeClaim]) ?? []
    if (!requiredScope.every(each => scope.includes(each)))
      return { reason: 'it lacks a scope that is required', scope: requiredScope.join(' ') }
    return claimsOf(payload, principalClaim)
  }
  return token => refusing(verify, token)
}

function claimsOf(payload: JWTPayload, subjectClaim: string): VerifiedToken | RefusedToken {
  const subject = payload[subjectClaim]
  if (typeof subject !== 'string' || subject.trim() === '') return { reason: `it has no claim ${subjectClaim}` }
  return { principalName: subject.trim(), expiresAtMs: (payload.exp ?? 0) * 1000 }
}

/** A list, or words in one text; empty when there is no such claim; undefined for anything else. */
function readScope(claim: unknown): string[] | undefined {
  if (claim === undefined) return []
  if (typeof claim === 'string') return claim.split(/\s+/).filter(word => word !== '')
  if (!Array.isArray(claim) || !claim.every(each => typeof each === 'string')) return undefined
  return claim
}

async function refusing(
  verify: (token: string) => Promise<VerifiedToken | RefusedToken>,
  token: string,
): Promise<VerifiedToken | RefusedToken> {
  try {
    return await verify(token)
  } catch (error) {
    if (error instanceof errors.JOSEError) return { reason: error.message }
    // Keys that cannot be fetched, or a token that is no JWT at all.
    if (error instanceof Error) return { reason: error.message }
    throw error
  }
}
