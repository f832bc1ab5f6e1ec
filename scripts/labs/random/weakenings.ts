/** Settings that give up a promise each. A file of its own: the command line lists them before anything else is loaded. */
import type { RandomLab } from './random-lab.ts'

export const weakenings = {
  'acks-1': { acks: 1, idempotent: false },
  'acks-0': { acks: 0, idempotent: false },
  'min-insync-1': { minInsync: 1 },
  unclean: { minInsync: 1, unclean: true, idempotent: false },
  'not-idempotent': { idempotent: false },
} as const satisfies Record<string, Partial<RandomLab>>
export type Weakening = keyof typeof weakenings
export const weakeningNames = Object.keys(weakenings) as Weakening[]
