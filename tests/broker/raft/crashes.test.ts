/**
 * A voter of the metadata quorum ends at every change of its disk: votes, epochs, appends, truncation, snapshots made and downloaded, the log
 * prefix that goes with them. What it has told anybody is still there after the restart, and it always starts.
 */
import { deepStrictEqual as deepEqual, ok } from 'node:assert/strict'
import { describe, expect, test } from 'vitest'
import type { Environment } from '#broker/environment/environment.ts'
import type { LogConfig } from '#broker/log/log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { makeDurableDirectory } from '#broker/log/small-files.ts'
import type { RequestClient } from '#broker/net/client.ts'
import { describeFetched, recordsBatch, snapshotBatches } from '#broker/raft/metadata-batches.ts'
import { MetadataLog, openMetadataLog } from '#broker/raft/metadata-log.ts'
import { QuorumStateFile } from '#broker/raft/quorum-state-file.ts'
import { metadataPartition, metadataTopicId } from '#broker/raft/quorum-wire.ts'
import { RaftDriver } from '#broker/raft/raft-driver.ts'
import type { HardState } from '#broker/raft/ready.ts'
import { crashEverywhere, describeReport, type CrashScene, type Ending } from '../log/crashes/points.ts'
import { wholeLog } from '../log/crashes/whole-log.ts'
import { defaultConfig, Machine, startWallMs } from '../log/harness.ts'
import { clusterId, RecordingListener } from './raft-node.ts'

const directory = '/meta'
const config: LogConfig = { ...defaultConfig, segmentBytes: 500, indexIntervalBytes: 100, fileDeleteDelayMs: 100 }

function openLog(environment: Environment): SegmentedLog {
  makeDurableDirectory(environment.disk, directory)
  return openMetadataLog({
    environment,
    directory: `${directory}/__cluster_metadata-0`,
    topicPartition: metadataPartition,
    topicId: metadataTopicId,
    config,
  })
}

/** The only voter: it votes for itself, leads, writes, and makes snapshots. */
class LonelyVoter implements CrashScene {
  readonly machine = new Machine()
  private readonly proposed: string[] = []
  private committed = 0
  private ledEpoch = 0
  private listener = new RecordingListener(1)
  private driver!: RaftDriver
  private log!: SegmentedLog

  restart(): void {
    const environment = this.machine.environment()
    this.log = openLog(environment)
    this.listener = new RecordingListener(1)
    this.driver = new RaftDriver({
      environment,
      config: {
        nodeId: 1,
        clusterId,
        voters: [{ id: 1, address: { host: 'localhost', port: 1 } }],
        electionTimeoutMs: 1000,
        electionBackoffMaxMs: 1000,
        fetchTimeoutMs: 2000,
        requestTimeoutMs: 2000,
        retryBackoffMs: 20,
        maxBatchBytes: 1024 * 1024,
        snapshotAfterBytes: 600,
        snapshotAfterMs: 0,
      },
      directoryId: 'AAAAAAAAAAAAAAAAAAAA1A',
      log: this.log,
      metadataLogDirectory: directory,
      client: {} as RequestClient,
      controllerListenerName: 'CONTROLLER',
    })
    this.driver.start(this.listener)
  }

  private lead(): void {
    for (let waitedMs = 0; !this.driver.isRunning || this.listener.leaders.at(-1)?.leaderId !== 1; waitedMs += 100) {
      ok(waitedMs < 20_000, 'it never led')
      this.machine.advance(100)
    }
    const { epoch } = this.driver.leader
    ok(epoch > this.ledEpoch, `led epoch ${epoch} after epoch ${this.ledEpoch}`)
    this.ledEpoch = epoch
  }

  private propose(count: number): void {
    for (let index = 0; index < count; index++) {
      const value = `v${this.proposed.length}`
      this.proposed.push(value)
      ok(this.driver.propose(this.ledEpoch, [Buffer.from(value)]) !== undefined, 'the proposal was refused')
      if (index % 3 === 2) this.turn()
    }
    this.turn()
    ok(this.listener.values.length === this.proposed.length, 'not all was committed')
  }

  private turn(): void {
    this.machine.turn()
    this.committed = Math.max(this.committed, this.listener.values.length)
  }

  run(): void {
    this.restart()
    this.lead()
    this.propose(9)
    this.machine.kill()
    this.restart()
    this.lead()
    this.propose(14)
    this.machine.advance(500)
    this.propose(2)
    void this.driver.stop()
    this.turn()
  }

  check(): void {
    this.restart()
    wholeLog(this.log)
    this.lead()
    this.machine.turn()
    const { values } = this.listener
    deepEqual(values, this.proposed.slice(0, values.length), 'other records than were proposed')
    ok(values.length >= this.committed, `${this.committed} were committed, ${values.length} are left`)
    this.proposed.length = values.length
    this.propose(3)
  }
}

const follower = { epochs: [1, 2, 3] }

/** What a follower's driver does with its disk: the machine's orders, one after the other. */
class FollowersDisk implements CrashScene {
  readonly machine = new Machine()
  private log!: SegmentedLog
  private metadata!: MetadataLog
  private state!: QuorumStateFile
  /** What others may have been told. */
  private told: HardState | undefined
  private writing: HardState | undefined
  private durable = 0
  private readonly received: number[] = []

  restart(): void {
    const environment = this.machine.environment()
    this.log = openLog(environment)
    this.state = new QuorumStateFile(environment.disk, this.log.directory, follower.epochs)
    this.metadata = new MetadataLog(environment, this.log, {
      persisted: durableOffset => (this.durable = Math.max(this.durable, durableOffset)),
      snapshotReceived: ({ endOffset }) => this.received.push(endOffset),
      failed: error => {
        throw error
      },
    })
  }

  private vote(state: HardState): void {
    this.writing = state
    this.state.write(state)
    this.told = state
  }

  private take(baseOffset: number, epochs: readonly number[]): void {
    for (const [index, epoch] of epochs.entries()) {
      const bytes = recordsBatch([Buffer.from(`record ${baseOffset + index}`)], {
        baseOffset: baseOffset + index,
        epoch,
        wallMs: startWallMs,
      })
      this.metadata.append({ kind: 'batches', fetched: describeFetched(bytes)! })
    }
  }

  private flush(): void {
    this.metadata.flush(1)
    this.machine.turn()
  }

  private cut(offset: number): void {
    this.durable = Math.min(this.durable, offset)
    this.log.truncateTo(offset)
  }

  private download(id: { endOffset: number; epoch: number }): void {
    const values = Array.from({ length: 20 }, (_, index) => Buffer.from(`state ${index}`))
    const bytes = Buffer.concat([
      ...snapshotBatches(values, { epoch: id.epoch, wallMs: 1, lastContainedLogTimestamp: 1 }),
    ])
    this.metadata.carryOut({ kind: 'begin', id })
    for (let position = 0; position < bytes.length; position += 300)
      this.metadata.carryOut({ kind: 'write', id, position, bytes: bytes.subarray(position, position + 300) })
    this.metadata.carryOut({ kind: 'finish', id })
    this.machine.turn()
    ok(this.received.at(-1) === id.endOffset, 'the download never ended')
    this.durable = 0
    this.metadata.carryOut({ kind: 'install', id })
    this.durable = id.endOffset
  }

  run(): void {
    this.restart()
    this.metadata.recover()
    this.vote({ epoch: 1, leaderId: undefined, votedId: 2 })
    this.vote({ epoch: 1, leaderId: 2, votedId: 2 })
    this.take(0, [1, 1, 1, 1, 1, 1])
    this.flush()
    this.vote({ epoch: 2, leaderId: undefined, votedId: undefined })
    this.vote({ epoch: 2, leaderId: 3, votedId: undefined })
    this.cut(4)
    this.take(4, [2, 2, 2])
    this.flush()
    this.download({ endOffset: 40, epoch: 2 })
    this.take(40, [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
    this.flush()
    const content = { records: [Buffer.from('own')], wallMs: 1, lastContainedLogTimestamp: 1 }
    this.metadata.snapshots.write({ endOffset: 48, epoch: 2 }, content, result => {
      if ('error' in result) throw result.error
    })
    this.machine.turn()
    this.metadata.apply({ remove: [{ endOffset: 40, epoch: 2 }], logStartOffset: 48 }, 52)
    this.machine.advance(200)
    this.vote({ epoch: 3, leaderId: undefined, votedId: 1 })
    this.take(52, [3, 3])
    this.flush()
  }

  check(ending: Ending): void {
    this.restart()
    const { log, snapshots } = this.metadata.recover()
    ok(log.endOffset >= this.durable, `the log ends at ${log.endOffset}, ${this.durable} was durable (${ending})`)
    // Each of them can be read to its end.
    for (const snapshot of snapshots) this.metadata.snapshots.load(snapshot)
    ok(log.startOffset === 0 || snapshots.some(({ endOffset }) => endOffset >= log.startOffset))
    wholeLog(this.log)
    const state = this.state.read()
    const { told, writing } = this
    if (told !== undefined)
      ok(state !== undefined && (same(state, told) || same(state, writing)), 'a vote was forgotten')
    this.take(log.endOffset, [9, 9])
    this.flush()
    ok(this.durable >= log.endOffset + 2)
  }
}

function same(a: HardState, b: HardState | undefined): boolean {
  return a.epoch === b?.epoch && a.leaderId === b.leaderId && a.votedId === b.votedId
}

describe('a voter that ends at any change of its disk', () => {
  test.each<[string, () => CrashScene]>([
    ['leading alone, with snapshots', () => new LonelyVoter()],
    ['following: votes, truncation, a snapshot downloaded', () => new FollowersDisk()],
  ])(
    '%s',
    (name, make) => {
      const report = crashEverywhere(make)
      console.log(describeReport(name, report))
      expect(report.changes).toBeGreaterThan(50)
      expect(report.restarts).toBeGreaterThan(report.tried)
    },
    60_000,
  )
})
