/** The HMAC that is a delegation token's password: HMAC-SHA-512 of its id under delegation.token.secret.key, as in Kafka (KIP-48). */
import { createHmac, timingSafeEqual } from 'node:crypto'

export function tokenHmac(secret: string, tokenId: string): Buffer {
  return createHmac('sha512', secret).update(tokenId).digest()
}

/** Whether this is the HMAC of that token; the same time for every wrong one. */
export function isTokenHmac(secret: string, tokenId: string, given: Buffer): boolean {
  const expected = tokenHmac(secret, tokenId)
  return given.length === expected.length && timingSafeEqual(given, expected)
}
