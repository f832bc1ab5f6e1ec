/**
 * Folds committed batches into images and tells subscribers, in order, once per batch. The records of a metadata transaction (KIP-868)
 * count only when it ends: until then nobody sees them, and if it is aborted nobody ever does.
 * Must never deliver anything uncommitted. A subscriber must not throw.
 */
import type { CommittedBatch, LeaderAndEpoch, MetadataListener } from '../raft/raft.ts'
import { compareImages, ImageBuilder, MetadataError } from './image-builder.ts'
import { MetadataImage } from './image.ts'
import type { MetadataDelta } from './image.ts'
import type { MetadataRecord } from './metadata-record.ts'
import { decodeRecord, encodeRecord } from './records.ts'

export type MetadataSubscriber = (image: MetadataImage, delta: MetadataDelta) => void

export class MetadataPublisher implements MetadataListener {
  readonly #subscribers: MetadataSubscriber[] = []
  readonly #leaderSubscribers: ((leader: LeaderAndEpoch) => void)[] = []
  #image: MetadataImage
  #leader: LeaderAndEpoch = { leaderId: undefined, epoch: 0 }
  #transaction: MetadataRecord[] | undefined
  /** Last offset delivered, which is beyond `image.offset` only inside a metadata transaction. */
  #deliveredOffset = -1

  constructor(clusterId: string) {
    this.#image = MetadataImage.empty(clusterId)
  }

  /** The newest committed image. */
  get image(): MetadataImage {
    return this.#image
  }

  get leader(): LeaderAndEpoch {
    return this.#leader
  }

  /** Last committed offset seen, also inside a metadata transaction. */
  get deliveredOffset(): number {
    return this.#deliveredOffset
  }

  get inTransaction(): boolean {
    return this.#transaction !== undefined
  }

  /** Calls `subscriber` after every committed batch, also when it changed nothing but the offset. */
  subscribe(subscriber: MetadataSubscriber): void {
    this.#subscribers.push(subscriber)
  }

  subscribeLeader(subscriber: (leader: LeaderAndEpoch) => void): void {
    this.#leaderSubscribers.push(subscriber)
  }

  committed(batch: CommittedBatch): void {
    let builder = new ImageBuilder(this.#image)
    batch.records.forEach((value, index) => {
      const record = decodeRecord(value)
      // What comes before a transaction must not wait for its end.
      if (record.type === 'BeginTransaction' && index > 0 && this.#transaction === undefined) {
        this.#publish(builder.build(batch.baseOffset + index - 1, batch.epoch))
        builder = new ImageBuilder(this.#image)
      }
      this.#replay(builder, record)
    })
    this.#deliveredOffset = batch.lastOffset
    if (this.#transaction === undefined) this.#publish(builder.build(batch.lastOffset, batch.epoch))
  }

  loadSnapshot(snapshot: CommittedBatch): void {
    this.#transaction = undefined
    const builder = new ImageBuilder(MetadataImage.empty(this.#image.clusterId))
    for (const value of snapshot.records) this.#replay(builder, decodeRecord(value))
    this.#deliveredOffset = snapshot.lastOffset
    this.#publish(compareImages(this.#image, builder.build(snapshot.lastOffset, snapshot.epoch).image))
  }

  leaderChanged(leader: LeaderAndEpoch): void {
    this.#leader = leader
    for (const subscriber of this.#leaderSubscribers) subscriber(leader)
  }

  /** Inside a metadata transaction its records come last, still open, so that the log may go on from there. */
  snapshot(): readonly Buffer[] {
    const open: MetadataRecord[] =
      this.#transaction === undefined ? [] : [{ type: 'BeginTransaction', name: null }, ...this.#transaction]
    const metadataVersion = this.#image.metadataVersion()
    return [...this.#image.toRecords(), ...open].map(record => encodeRecord(record, metadataVersion))
  }

  #replay(builder: ImageBuilder, record: MetadataRecord): void {
    const open = this.#transaction
    if (record.type === 'BeginTransaction') {
      if (open !== undefined) throw new MetadataError('a metadata transaction begins inside another one')
      this.#transaction = []
    } else if (record.type === 'EndTransaction' || record.type === 'AbortTransaction') {
      if (open === undefined) throw new MetadataError('a metadata transaction ends that never began')
      if (record.type === 'EndTransaction') for (const inside of open) builder.replay(inside)
      this.#transaction = undefined
    } else if (open === undefined) builder.replay(record)
    else open.push(record)
  }

  #publish(delta: MetadataDelta): void {
    this.#image = delta.image
    for (const subscriber of this.#subscribers) subscriber(delta.image, delta)
  }
}
