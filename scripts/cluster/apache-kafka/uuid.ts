/** Kafka's form of random identifiers: clusters, directories. */
import { randomBytes } from 'node:crypto'

/** A Kafka Uuid: 16 random bytes in URL-safe base64. A leading dash would look like an option to Kafka's tools. */
export function randomUuid(): string {
  for (;;) {
    const text = randomBytes(16).toString('base64url')
    if (!text.startsWith('-')) return text
  }
}
