/** What the requests of transactional producers have in common. */
import type { ErrorName } from '../protocol/errors.ts'

/** Clients that do not know PRODUCER_FENCED handle INVALID_PRODUCER_EPOCH the same way. */
export function fencedError(error: ErrorName, knowsFenced: boolean): ErrorName {
  return error === 'PRODUCER_FENCED' && !knowsFenced ? 'INVALID_PRODUCER_EPOCH' : error
}
