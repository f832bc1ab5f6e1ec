/**
 * What all replicas of one log must agree on: a batch that any replica ever showed as committed is, at its offset, the same on every
 * replica that shows it as committed, for ever (log matching below the high watermark; committed data consistent).
 */
import type { BatchDigest } from './log-reader.ts'

interface Committed {
  readonly nextOffset: number
  readonly epoch: number
  readonly crc: number
  readonly firstSeenOn: string
}

export class CommittedLog {
  readonly #name: string
  readonly #batches = new Map<number, Committed>()

  constructor(name: string) {
    this.#name = name
  }

  /** Takes note of a committed batch on a replica; throws when another one was committed there before. */
  add(batch: BatchDigest, replica: string): void {
    const { baseOffset, nextOffset, epoch, crc } = batch
    const known = this.#batches.get(baseOffset)
    if (known === undefined) {
      this.#batches.set(baseOffset, { nextOffset, epoch, crc, firstSeenOn: replica })
      return
    }
    if (known.nextOffset === nextOffset && known.epoch === epoch && known.crc === crc) return
    throw new Error(
      `${this.#name}: offset ${baseOffset} is committed with epoch ${known.epoch}, CRC ${known.crc}, up to ${known.nextOffset} on ` +
        `${known.firstSeenOn}, and with epoch ${epoch}, CRC ${crc}, up to ${nextOffset} on ${replica}`,
    )
  }
}
