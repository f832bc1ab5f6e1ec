/** A share partition, the state its coordinator holds, and a member-by-member account of who holds which record: the model it is held against. */
import assert from 'node:assert/strict'
import { combineBatches, type StateBatch } from '#broker/coordinator/share/state-batches.ts'
import {
  SharePartition,
  type ShareEffect,
  type ShareWrite,
} from '#broker/coordinator/share-partitions/share-partition.ts'
import type { Acquired } from '#broker/coordinator/share-partitions/acquire.ts'
import type { ErrorName } from '#broker/protocol/errors.ts'

export const limits = { maxDeliveryCount: 3, maxInFlightRecords: 40, lockDurationMs: 1000, isRenewalEnabled: true }

export class ShareWorld {
  nowMs = 0
  logStart = 0
  /** Record batches of the log, three records each. */
  logEnd = 0
  holdWrites = false
  partition: SharePartition
  /** What the share coordinator has. */
  stored: { startOffset: number; stateBatches: StateBatch[] } = { startOffset: 0, stateBatches: [] }
  readonly heldWrites: { write: ShareWrite; done: (outcome: ErrorName) => void }[] = []
  /** Who holds an offset until when, as the members were told. */
  readonly holders = new Map<number, { member: string; untilMs: number }>()
  /** Offsets that were accepted or rejected, and whose answer said so. */
  readonly finished = new Set<number>()
  readonly deliveries = new Map<number, number>()
  wakes = 0
  fenced = false

  constructor() {
    this.partition = this.#make()
  }

  #make(): SharePartition {
    return new SharePartition({ stateEpoch: 0, ...this.stored }, this.logStart, () => limits)
  }

  /** A failover: writes under way may or may not have been done; locks are forgotten. */
  reload(landed: boolean): void {
    for (const { write } of this.heldWrites.splice(0)) if (landed) this.#store(write)
    this.holders.clear()
    this.partition = this.#make()
    this.partition.logStartRaised(this.logStart)
    this.perform()
  }

  #store(write: ShareWrite): void {
    const { startOffset } = write
    this.stored = {
      startOffset,
      stateBatches: combineBatches(this.stored.stateBatches, write.stateBatches, startOffset),
    }
  }

  perform(): void {
    const before = this.partition.startOffset
    // Writes that were held may go on although nothing new came.
    let effects: readonly ShareEffect[] = this.partition.takeEffects()
    while (effects.length > 0 || (!this.holdWrites && this.heldWrites.length > 0)) {
      for (const effect of effects) {
        if (effect.kind === 'reply') effect.send()
        else if (effect.kind === 'wake') this.wakes += 1
        else if (effect.kind === 'fenced') this.fenced = true
        else this.heldWrites.push(effect)
      }
      if (!this.holdWrites) for (const write of this.heldWrites.splice(0)) this.#finish(write, 'NONE')
      effects = this.partition.takeEffects()
    }
    assert(this.partition.startOffset >= before)
    this.check()
  }

  #finish({ write, done }: { write: ShareWrite; done: (outcome: ErrorName) => void }, outcome: ErrorName): void {
    if (outcome === 'NONE') this.#store(write)
    done(outcome)
  }

  finishOne(outcome: ErrorName): void {
    const held = this.heldWrites.shift()
    if (held === undefined) return
    this.#finish(held, outcome)
    this.perform()
  }

  acquire(member: string, maxRecords: number, mode = 0): Acquired[] {
    if (!this.partition.canAcquire()) return []
    const fetchOffset = this.partition.nextFetchOffset()
    const batches = []
    for (let base = 0; base < this.logEnd; base += 3)
      if (base + 2 >= fetchOffset && base + 2 >= this.logStart) batches.push({ baseOffset: base, lastOffset: base + 2 })
    const request = { memberId: member, mode, maxRecords, batchSize: 5, fetchOffset, batches, aborted: [] }
    const acquired = this.partition.acquire(request, this.nowMs)
    for (const { firstOffset, lastOffset, deliveryCount } of acquired)
      for (let offset = firstOffset; offset <= lastOffset; offset++) this.#given(member, offset, deliveryCount)
    this.perform()
    return acquired
  }

  #given(member: string, offset: number, deliveryCount: number): void {
    const holder = this.holders.get(offset)
    assert(holder === undefined || holder.untilMs <= this.nowMs, `${offset} is held by ${holder?.member}`)
    assert(!this.finished.has(offset), `${offset} is done with`)
    assert(deliveryCount >= 1)
    assert(deliveryCount <= limits.maxDeliveryCount)
    this.holders.set(offset, { member, untilMs: this.nowMs + limits.lockDurationMs })
    this.deliveries.set(offset, (this.deliveries.get(offset) ?? 0) + 1)
  }

  held(member: string): number[] {
    return [...this.holders].filter(([, holder]) => holder.member === member).map(([offset]) => offset)
  }

  acknowledge(member: string, firstOffset: number, lastOffset: number, type: number): { error: ErrorName | undefined } {
    const box: { error: ErrorName | undefined } = { error: undefined }
    const started = [...this.holders].filter(
      ([offset, holder]) => offset >= firstOffset && offset <= lastOffset && holder.member === member,
    )
    const answer = ({ error }: { error: ErrorName }): void => {
      box.error = error
      if (error !== 'NONE') return
      for (const [offset, holder] of started) {
        // It may have been given out again since, after a release.
        if (this.holders.get(offset) !== holder) continue
        if (type === 4) this.holders.set(offset, { member, untilMs: this.nowMs + limits.lockDurationMs })
        else this.holders.delete(offset)
        if (type === 1 || type === 3) this.finished.add(offset)
      }
    }
    this.partition.acknowledge(member, [{ firstOffset, lastOffset, type }], answer, this.nowMs)
    this.perform()
    return box
  }

  release(member: string): void {
    const held = this.held(member)
    this.partition.release(member, ({ error }) => {
      if (error === 'NONE')
        for (const offset of held) if (this.holders.get(offset)?.member === member) this.holders.delete(offset)
    })
    this.perform()
  }

  pass(ms: number): void {
    this.nowMs += ms
    this.partition.tick(this.nowMs)
    this.perform()
  }

  raiseLogStart(offset: number): void {
    this.logStart = Math.max(this.logStart, Math.min(offset, this.logEnd))
    this.partition.logStartRaised(this.logStart)
    this.perform()
  }

  check(): void {
    const { spans, startOffset, endOffset } = this.partition
    let next = startOffset
    for (const { firstOffset, lastOffset } of spans) {
      assert.equal(firstOffset, next)
      assert(lastOffset >= firstOffset)
      next = lastOffset + 1
    }
    assert.equal(next, endOffset)
    assert(endOffset <= Math.max(this.logEnd, this.logStart))
  }
}
