/**
 * Who may ask for delegation tokens: a client that has proven who it is, and not with a token (KIP-48). The principal alone tells, also of a
 * request that a broker forwarded: who comes over PLAINTEXT, or over SSL without a certificate, is User:ANONYMOUS.
 */
import { anonymous } from '../net/principal.ts'
import type { RequestContext } from './handler.ts'

export function mayAskForTokens({ connection: { principal } }: RequestContext): boolean {
  return !principal.tokenAuthenticated && !principal.equals(anonymous)
}
