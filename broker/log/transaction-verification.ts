/**
 * Which producers are about to begin a transaction in a partition (KIP-890). Before its first transactional batch may be
 * appended, the transaction coordinator is asked whether the partition belongs to the transaction. A guard, made when
 * the question is asked and taken back when the transaction begins or ends here, proves that no marker was written
 * between question and answer.
 *
 * Kept in memory only, as in Kafka: after a change of leader the producer asks anew.
 * Source: KIP-890 (VerificationStateEntry).
 */

/** Proof of one verification; compared by identity. */
export interface VerificationGuard {
  readonly producerId: bigint
}

export interface Verification {
  readonly guard: VerificationGuard
  readonly startedWallMs: number
  /** The producer raises its epoch with every transaction (transactions version 2): a new one begins at sequence 0. */
  readonly supportsEpochBump: boolean
  producerEpoch: number
  /**
   * A batch with a higher sequence has to wait: the first one was seen, and will come again. Else that one would be out
   * of order for ever.
   */
  lowestSequence: number
}

export interface VerifiedProducer {
  readonly producerId: bigint
  readonly producerEpoch: number
  /** Of the first batch; -1 for batches without (a group coordinator's). */
  readonly baseSequence: number
  readonly supportsEpochBump: boolean
}

export class Verifications {
  private readonly byProducer = new Map<bigint, Verification>()

  get(producerId: bigint): Verification | undefined {
    return this.byProducer.size === 0 ? undefined : this.byProducer.get(producerId)
  }

  /** The verification under way for the producer, or a new one. */
  start(producer: VerifiedProducer, wallMs: number): Verification {
    const { producerId, producerEpoch, baseSequence, supportsEpochBump } = producer
    let verification = this.byProducer.get(producerId)
    if (verification === undefined) {
      verification = {
        guard: { producerId },
        startedWallMs: wallMs,
        supportsEpochBump,
        producerEpoch,
        lowestSequence: baseSequence,
      }
      this.byProducer.set(producerId, verification)
    } else if (producerEpoch > verification.producerEpoch) {
      verification.producerEpoch = producerEpoch
      verification.lowestSequence = baseSequence
    } else if (producerEpoch === verification.producerEpoch) {
      verification.lowestSequence = Math.min(verification.lowestSequence, baseSequence)
    }
    return verification
  }

  /** A transactional batch or a marker of the producer is in the log. */
  end(producerId: bigint): void {
    if (this.byProducer.size > 0) this.byProducer.delete(producerId)
  }

  /** Forgets what was never followed by a batch. */
  expire(nowWallMs: number, expirationMs: number): void {
    for (const [producerId, { startedWallMs }] of this.byProducer)
      if (nowWallMs - startedWallMs >= expirationMs) this.byProducer.delete(producerId)
  }

  clear(): void {
    this.byProducer.clear()
  }
}
