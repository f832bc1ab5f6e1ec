/**
 * Brings what is committed to the listener: the newest snapshot first, then each batch once and in order, and who leads. Tells this node that
 * it leads only after everything committed before its epoch. Must never deliver above the high watermark.
 * Source: KIP-595 "State Machine"; Kafka's RaftClient.Listener has the same contract.
 */
import { batches } from '../protocol/records/batch.ts'
import { checkKraftVersion } from './kraft-version.ts'
import { recordValues } from './metadata-batches.ts'
import type { MetadataLog } from './metadata-log.ts'
import type { SnapshotId } from './quorum-messages.ts'
import type { LeaderAndEpoch, MetadataListener } from './raft.ts'
import type { Ready } from './ready.ts'

const readBytesMax = 1024 * 1024

export class Delivery {
  private readonly metadataLog: MetadataLog
  private readonly listener: MetadataListener
  private readonly nodeId: number
  private highWatermark = 0
  private isDelivering = false
  private pendingLeader: Ready['leader'] = undefined
  private told: LeaderAndEpoch | undefined = undefined
  /** Everything below was delivered, in records or in a snapshot. */
  nextOffset = 0
  lastEpoch = 0
  lastAppendTimeMs = 0
  bytesSinceSnapshot = 0

  constructor(metadataLog: MetadataLog, listener: MetadataListener, nodeId: number) {
    this.metadataLog = metadataLog
    this.listener = listener
    this.nodeId = nodeId
  }

  /** Takes what a Ready says and delivers. Calls of the listener may lead back here; the outermost call does all the work. */
  advance(highWatermark: number, leader: Ready['leader'], latestSnapshot: SnapshotId | undefined): void {
    this.highWatermark = Math.max(this.highWatermark, highWatermark)
    if (leader !== undefined) this.pendingLeader = leader
    if (this.isDelivering) return
    this.isDelivering = true
    try {
      if (latestSnapshot !== undefined && this.nextOffset < this.metadataLog.log.logStartOffset)
        this.loadSnapshot(latestSnapshot)
      for (let changed = true; changed;) {
        this.tellLeader()
        changed = this.deliverSome()
      }
    } finally {
      this.isDelivering = false
    }
  }

  /** True within a call of the listener. */
  get isBusy(): boolean {
    return this.isDelivering
  }

  /** The listener's state as records; it ends at `nextOffset`. */
  snapshotRecords(): readonly Buffer[] {
    return this.listener.snapshot()
  }

  loadSnapshot(id: SnapshotId): void {
    const content = this.metadataLog.snapshots.load(id)
    this.nextOffset = id.endOffset
    this.lastEpoch = id.epoch
    this.lastAppendTimeMs = content.lastContainedLogTimestamp
    this.bytesSinceSnapshot = 0
    this.listener.loadSnapshot({
      baseOffset: 0,
      lastOffset: id.endOffset - 1,
      epoch: id.epoch,
      appendTimeMs: content.lastContainedLogTimestamp,
      records: content.records,
    })
  }

  /** Delivers one read's worth of batches; false when there is nothing more. */
  private deliverSome(): boolean {
    const { log } = this.metadataLog
    const untilOffset = Math.min(this.highWatermark, log.logEndOffset)
    if (this.nextOffset >= untilOffset) return this.isLeaderDue()
    const read = log.read(this.nextOffset, { maxBytes: readBytesMax, untilOffset, atLeastOneBatch: true })
    if ('refused' in read) {
      throw new Error(
        `metadata log: expected to read offset ${this.nextOffset} of ${log.logStartOffset} to ${log.logEndOffset}`,
      )
    }
    if (read.records.length === 0) return this.isLeaderDue()
    for (const batch of batches(read.records)) {
      if (batch.nextOffset <= this.nextOffset) continue
      this.nextOffset = batch.nextOffset
      this.lastEpoch = batch.partitionLeaderEpoch
      this.lastAppendTimeMs = batch.maxTimestamp
      this.bytesSinceSnapshot += batch.sizeBytes
      if (batch.isControl) {
        checkKraftVersion(batch, log.directory)
        continue
      }
      this.listener.committed({
        baseOffset: batch.baseOffset,
        lastOffset: batch.lastOffset,
        epoch: batch.partitionLeaderEpoch,
        appendTimeMs: batch.maxTimestamp,
        records: recordValues(batch),
      })
    }
    return true
  }

  private isLeaderDue(): boolean {
    const leader = this.pendingLeader
    return leader !== undefined && (leader.leaderId !== this.nodeId || this.nextOffset > leader.tellAfterOffset)
  }

  private tellLeader(): void {
    const leader = this.pendingLeader
    if (leader === undefined) return
    if (!this.isLeaderDue()) {
      // Elected, but not yet in possession of the whole state: for now the epoch is without a leader.
      this.tell({ leaderId: undefined, epoch: leader.epoch })
      return
    }
    this.pendingLeader = undefined
    this.tell({ leaderId: leader.leaderId, epoch: leader.epoch })
  }

  private tell(leader: LeaderAndEpoch): void {
    if (this.told?.leaderId === leader.leaderId && this.told?.epoch === leader.epoch) return
    this.told = leader
    this.listener.leaderChanged(leader)
  }
}
