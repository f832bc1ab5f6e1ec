/** The HMAC that is a delegation token's password: HMAC-SHA-512 of its id under delegation.token.secret.key, as in Kafka (KIP-48). */
import { createHmac } from 'node:crypto'

export function tokenHmac(secret: string, tokenId: string): Buffer {
  return createHmac('sha512', secret).update(tokenId).digest()
}
