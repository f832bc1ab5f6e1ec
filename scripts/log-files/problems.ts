/** What is wrong with a log, in a form that a person reads and a repair acts on. */

/** What a repair does about a problem. */
export type Remedy =
  /** Cut the file at `position`. */
  | { readonly kind: 'cut'; readonly path: string; readonly position: number; readonly bytes: number }
  /** Take bytes out of the middle: the records in them are lost. */
  | {
      readonly kind: 'set-aside'
      readonly path: string
      readonly position: number
      readonly bytes: number
      /** Offsets that go: from the end of what comes before to the beginning of what follows. */
      readonly lostOffsets: string
    }
  /** Make both indexes of a segment anew. */
  | { readonly kind: 'rebuild-indexes'; readonly segment: string; readonly baseOffset: number }
  | { readonly kind: 'rebuild-transaction-index'; readonly segment: string; readonly baseOffset: number }
  | { readonly kind: 'rebuild-snapshot'; readonly path: string; readonly offset: number }
  | { readonly kind: 'rebuild-epochs'; readonly directory: string }
  /** Lower the entries of a checkpoint to the end of the log, or drop what cannot be read. */
  | { readonly kind: 'correct-checkpoint'; readonly path: string }

export interface Problem {
  /** `damage`: something is wrong. `note`: worth knowing, and right in itself. */
  readonly severity: 'damage' | 'note'
  readonly path: string
  /** Byte in the file, where there is one. */
  readonly position?: number | undefined
  /** Offset in the log, where there is one. */
  readonly offset?: number | undefined
  readonly message: string
  readonly remedy?: Remedy
  /** `allocated`: a note about space that an index was given in advance; a running Kafka leaves one in every index of an active segment. */
  readonly kind?: 'allocated'
}

export function problemText({ severity, path, position, offset, message }: Problem): string {
  const where = [
    position === undefined ? undefined : `at byte ${position}`,
    offset === undefined ? undefined : `offset ${offset}`,
  ].filter(part => part !== undefined)
  return `${severity === 'damage' ? 'DAMAGE' : 'note  '} ${path}${where.length === 0 ? '' : ` (${where.join(', ')})`}: ${message}`
}
