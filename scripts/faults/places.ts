/** Where kinds of faults are there. */
import type { Place } from './kind.ts'

export function everywhere({ runtime }: Place): string | undefined {
  return runtime === 'kubernetes' ? 'not there yet' : undefined
}
