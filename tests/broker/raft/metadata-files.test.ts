/** Files of the metadata log: quorum-state, snapshots and control records, in the form in which Apache Kafka reads and writes them. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DiskError, type Disk } from '#broker/environment/environment.ts'
import { codec } from '#broker/protocol/codec.ts'
import { batches } from '#broker/protocol/records/batch.ts'
import { buildControlBatch } from '#broker/protocol/records/batch-build.ts'
import { kraftVersionRecord } from '#broker/protocol/records/control.ts'
import { EpochHistory } from '#broker/raft/epoch-history.ts'
import { checkKraftVersion, KraftVersionError } from '#broker/raft/kraft-version.ts'
import {
  describeFetched,
  leaderChangeBatch,
  readSnapshot,
  recordsBatch,
  snapshotBatches,
} from '#broker/raft/metadata-batches.ts'
import { QuorumStateFile } from '#broker/raft/quorum-state-file.ts'
import { checkDirectoryKraftVersion, readBootstrapRecords, SnapshotStore } from '#broker/raft/snapshot-store.ts'
import { LogDirectoryError } from '#broker/log/meta-properties.ts'
import { replaceFile } from '#broker/log/small-files.ts'
import { SimulatedDisk } from '#simulator/disk/simulated-disk.ts'

/** Written by `kafka-storage format` of Apache Kafka 4.3.1. */
const kafkaBootstrapCheckpoint = [
  'AAAAAAAAAAAAAABHAAAAAAIMUqniACAAAAAAAAABogSz0DQAAAGiBLPQNP//////////////////AAAAASoAAAAIAAAAAxYAAAAA',
  'AAAAAAAAAAAAAAAAAAAAAQAAAPEAAAAAAvKP7/4AAAAAAAUAAAGiBLPRhwAAAaIEs9GH//////////////////8AAAAGOgAAAAEu',
  'AQwAEW1ldGFkYXRhLnZlcnNpb24AHgAAWgAAAgFOAQwAIWVsaWdpYmxlLmxlYWRlci5yZXBsaWNhcy52ZXJzaW9uAAEAADQAAAQB',
  'KAEMAA5ncm91cC52ZXJzaW9uAAEAADQAAAYBKAEMAA5zaGFyZS52ZXJzaW9uAAEAADgAAAgBLAEMABBzdHJlYW1zLnZlcnNpb24A',
  'AQAAQAAACgE0AQwAFHRyYW5zYWN0aW9uLnZlcnNpb24AAgAAAAAAAAAAAAcAAAA/AAAAAAK9qm6TACAAAAAAAAABogSz0Z0AAAGi',
  'BLPRnf//////////////////AAAAARoAAAAIAAAABAYAAAAA',
].join('')

const directory = '/meta/__cluster_metadata-0'

function newDisk(): Disk {
  const user = {
    nowUs: 0,
    wallMs: 0,
    alive: () => {},
    fsyncBlocks: () => {},
    fsyncLater: (done: () => void) => done(),
    note: () => {},
  }
  const disk = new SimulatedDisk().for(user)
  disk.makeDirectory(directory)
  return disk
}

describe('quorum-state', () => {
  it('has the form of QuorumStateData version 0', () => {
    const disk = newDisk()
    new QuorumStateFile(disk, directory, [1, 2]).write({ epoch: 4, leaderId: undefined, votedId: 2 })
    const file = disk.open(`${directory}/quorum-state`, 'read')
    const text = Buffer.alloc(file.size())
    file.read(text, 0)
    expect(text.toString()).toBe(
      '{"clusterId":"","leaderId":-1,"leaderEpoch":4,"votedId":2,"appliedOffset":0,"currentVoters":[{"voterId":1},{"voterId":2}],"data_version":0}',
    )
  })

  it('gives back what was written, and reads version 1', () => {
    const disk = newDisk()
    const file = new QuorumStateFile(disk, directory, [1, 2])
    expect(file.read()).toBeUndefined()
    for (const state of [
      { epoch: 4, leaderId: undefined, votedId: 2 },
      { epoch: 5, leaderId: 1, votedId: undefined },
    ]) {
      file.write(state)
      expect(file.read()).toEqual(state)
    }
    const version1 =
      '{"leaderId":-1,"leaderEpoch":2,"votedId":1,"votedDirectoryId":"J8aAPcfLQt2bqs1JT_rMgQ","data_version":1}'
    replaceFile(disk, `${directory}/quorum-state`, version1, { durable: true })
    expect(file.read()).toEqual({ epoch: 2, leaderId: undefined, votedId: 1 })
  })

  it('that is damaged stops the node with what to do', () => {
    const disk = newDisk()
    for (const content of [
      '',
      '{',
      '{"leaderId":1}',
      '{"leaderId":1,"leaderEpoch":1,"votedId":-1,"data_version":7}',
      'null',
    ]) {
      replaceFile(disk, `${directory}/quorum-state`, content, { durable: true })
      const read = () => new QuorumStateFile(disk, directory, [1]).read()
      expect(read).toThrow(/expected one line of JSON/)
      // What the command line tells without a stack.
      expect(read).toThrow(LogDirectoryError)
    }
  })
})

it('a snapshot that has its name, which is not durable for want of a descriptor, is finished by the next try', () => {
  const disk = newDisk()
  const store = new SnapshotStore(disk, directory)
  const partial = store.begin({ endOffset: 5, epoch: 1 })
  partial.append(Buffer.from('abc'))
  const syncDirectory = disk.syncDirectory.bind(disk)
  let refusals = 1
  disk.syncDirectory = path => {
    if (refusals-- > 0) throw new DiskError('EMFILE', 'syncDirectory', path)
    syncDirectory(path)
  }
  expect(() => partial.finish()).toThrow('EMFILE')
  const finished = { endOffset: 5, epoch: 1, bytes: 3 }
  expect(partial.finish()).toEqual(finished)
  expect([refusals, store.recover()]).toEqual([-1, [finished]])
})

describe('snapshots', () => {
  const about = { epoch: 3, wallMs: 1000, lastContainedLogTimestamp: 77 }
  const values = (count: number): Buffer[] =>
    Array.from({ length: count }, (_, index) => Buffer.from(`record ${index}`))

  it('begin with a header, end with a footer, and count offsets from 0', () => {
    const bytes = Buffer.concat([...snapshotBatches(values(2500), about)])
    const parts = [...batches(bytes)]
    expect(
      parts.map(batch => [batch.isControl, batch.baseOffset, batch.lastOffset, batch.partitionLeaderEpoch]),
    ).toEqual([
      [true, 0, 0, 3],
      [false, 1, 1024, 3],
      [false, 1025, 2048, 3],
      [false, 2049, 2500, 3],
      [true, 2501, 2501, 3],
    ])
    expect(readSnapshot(bytes, 'x')).toEqual({ lastContainedLogTimestamp: 77, records: values(2500) })
  })

  it('that are cut off or damaged are refused with the name of the file', () => {
    const bytes = Buffer.concat([...snapshotBatches(values(3), about)])
    const footerAt = [...batches(bytes)].at(-1)?.start ?? 0
    expect(() => readSnapshot(bytes.subarray(0, -1), 'a.checkpoint')).toThrow(/a\.checkpoint.*cut off/)
    expect(() => readSnapshot(bytes.subarray(0, -1), 'a.checkpoint')).toThrow(LogDirectoryError)
    expect(() => readSnapshot(bytes.subarray(0, footerAt), 'a.checkpoint')).toThrow(/footer is missing/)
    const damaged = Buffer.from(bytes)
    damaged[bytes.length - 5] = 0xff ^ (damaged[bytes.length - 5] ?? 0)
    expect(() => readSnapshot(damaged, 'a.checkpoint')).toThrow(/a\.checkpoint/)
  })

  it('get their name only when they are durable; leftovers of a crash go away', () => {
    const disk = newDisk()
    const store = new SnapshotStore(disk, directory)
    const partial = store.begin({ endOffset: 9, epoch: 1 })
    partial.append(Buffer.from('half'))
    expect(store.recover()).toEqual([])
    expect(disk.list(directory)).toEqual([])
    store.write(
      { endOffset: 12, epoch: 3 },
      { records: values(2), wallMs: 1, lastContainedLogTimestamp: 5 },
      result => {
        expect(result).toMatchObject({ snapshot: { endOffset: 12, epoch: 3 } })
      },
    )
    expect(disk.list(directory).map(entry => entry.name)).toEqual(['00000000000000000012-0000000003.checkpoint'])
    expect(store.recover()).toMatchObject([{ endOffset: 12, epoch: 3 }])
    expect(store.load({ endOffset: 12, epoch: 3 }).records).toEqual(values(2))
    expect(() => store.load({ endOffset: 13, epoch: 3 })).toThrow(/missing/)
  })

  it('of Apache Kafka are read: the bootstrap checkpoint', () => {
    const disk = newDisk()
    expect(readBootstrapRecords(disk, '/meta')).toBeUndefined()
    replaceFile(disk, '/meta/bootstrap.checkpoint', Buffer.from(kafkaBootstrapCheckpoint, 'base64'), { durable: true })
    const records = readBootstrapRecords(disk, '/meta') ?? []
    expect(records).toHaveLength(6)
    // Frame version 1, FeatureLevelRecord (12), version 0, then the name.
    expect(records.map(record => record.subarray(0, 3).toString('hex'))).toEqual(
      Array.from({ length: 6 }, () => '010c00'),
    )
    expect(records[0]?.includes('metadata.version')).toBe(true)
  })
})

describe('a dynamic quorum (kraft.version 1) is told apart', () => {
  const level = (kRaftVersion: number): Buffer =>
    buildControlBatch('kraftVersion', codec(kraftVersionRecord, 0).encodeToBuffer({ version: 0, kRaftVersion }))
  /** As `kafka-storage format --standalone` writes it, but for the voters. */
  const snapshotAt = (kRaftVersion: number): Buffer => {
    const [header, ...rest] = [...snapshotBatches([], { epoch: 0, wallMs: 1, lastContainedLogTimestamp: 0 })]
    return Buffer.concat([header!, level(kRaftVersion), ...rest])
  }

  it('by its first snapshot, before anything is opened', () => {
    const disk = newDisk()
    const first = `${directory}/00000000000000000000-0000000000.checkpoint`
    replaceFile(disk, first, snapshotAt(0), { durable: true })
    expect(() => checkDirectoryKraftVersion(disk, '/meta')).not.toThrow()
    replaceFile(disk, first, snapshotAt(1), { durable: true })
    expect(() => checkDirectoryKraftVersion(disk, '/meta')).toThrow(KraftVersionError)
    expect(() => checkDirectoryKraftVersion(disk, '/meta')).toThrow(/kraft\.version 1 .*static voters only/)
  })

  it('by its quorum-state', () => {
    const disk = newDisk()
    const write = (version: number): void =>
      replaceFile(
        disk,
        `${directory}/quorum-state`,
        `{"leaderId":1,"leaderEpoch":2,"votedId":-1,"data_version":${version}}`,
        { durable: true },
      )
    checkDirectoryKraftVersion(disk, '/meta')
    write(0)
    checkDirectoryKraftVersion(disk, '/meta')
    write(1)
    expect(() => checkDirectoryKraftVersion(disk, '/meta')).toThrow(/quorum-state: the quorum is at kraft\.version 1/)
  })

  it('by a record in its log, and by a snapshot that was fetched', () => {
    const [batch] = [...batches(level(1))]
    expect(() => checkKraftVersion(batch!, 'the log')).toThrow(/the log: .*a quorum cannot go back/)
    const [same] = [...batches(level(0))]
    expect(() => checkKraftVersion(same!, 'the log')).not.toThrow()
    expect(() => readSnapshot(snapshotAt(1), 'fetched.checkpoint')).toThrow(/fetched\.checkpoint: .*kraft\.version 1/)
  })
})

describe('batches of the metadata log', () => {
  it('tell a follower which offsets and epochs they hold; one that is cut off is left for later', () => {
    const first = recordsBatch([Buffer.from('a'), Buffer.from('b')], { baseOffset: 5, epoch: 1, wallMs: 1 })
    const second = leaderChangeBatch(
      { leaderId: 2, voters: [1, 2], grantingVoters: [2] },
      { baseOffset: 7, epoch: 3, wallMs: 1 },
    )
    const fetched = describeFetched(Buffer.concat([first, second, first.subarray(0, 30)]))
    expect(fetched).toMatchObject({ baseOffset: 5, endOffset: 8 })
    expect(fetched?.epochs).toEqual([
      { epoch: 1, startOffset: 5 },
      { epoch: 3, startOffset: 7 },
    ])
    expect(describeFetched(first.subarray(0, 30))).toBeUndefined()
  })

  it('with a gap, a falling epoch or a wrong checksum are refused', () => {
    const at = (baseOffset: number, epoch: number): Buffer =>
      recordsBatch([Buffer.from('a')], { baseOffset, epoch, wallMs: 1 })
    expect(() => describeFetched(Buffer.concat([at(0, 1), at(2, 1)]))).toThrow(/expected one at offset 1/)
    expect(() => describeFetched(Buffer.concat([at(0, 2), at(1, 1)]))).toThrow(/epoch 1 follows epoch 2/)
    const damaged = at(0, 1)
    damaged[damaged.length - 1] = 0xff
    expect(() => describeFetched(damaged)).toThrow(/fetched metadata batch at 0/)
  })
})

describe('the history of epochs', () => {
  it('answers as a search through the records would, after any appends, truncations and trims', () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant('append' as const), epochStep: fc.nat(2), count: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ kind: fc.constant('truncate' as const), drop: fc.nat(5) }),
      fc.record({ kind: fc.constant('trim' as const), keep: fc.nat(5) }),
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), actions => {
        const history = new EpochHistory({ startOffset: 0, endOffset: 0, baseEpoch: 0, epochs: [] })
        let model: number[] = []
        let start = 0
        for (const each of actions) {
          if (each.kind === 'append') {
            const epoch = history.lastEpoch + each.epochStep
            model = [...model, ...Array.from({ length: each.count }, () => epoch)]
            history.append(epoch, model.length)
          } else if (each.kind === 'truncate') {
            model = model.slice(0, Math.max(start, model.length - each.drop))
            history.truncateTo(model.length)
          } else if (model.length - each.keep > start) {
            start = model.length - each.keep
            history.trimTo({ endOffset: start, epoch: model[start - 1] ?? 0 })
          }
          const base = model[start - 1] ?? 0
          expect(history.lastEpoch).toBe(model[model.length - 1] ?? base)
          for (let offset = start; offset < model.length; offset += 1)
            expect(history.epochAt(offset)).toBe(model[offset])
          for (let epoch = base; epoch <= history.lastEpoch + 1; epoch += 1) {
            const endOffset = model.findLastIndex((held, offset) => offset >= start && held <= epoch) + 1
            const expected =
              endOffset === 0 ? { epoch: base, endOffset: start } : { epoch: model[endOffset - 1], endOffset }
            expect(history.endOffsetFor(epoch)).toEqual(expected)
          }
        }
      }),
    )
  })

  it('continues after a snapshot', () => {
    const history = new EpochHistory({
      startOffset: 0,
      endOffset: 2,
      baseEpoch: 0,
      epochs: [{ epoch: 1, startOffset: 0 }],
    })
    history.startAfter({ endOffset: 50, epoch: 4 })
    expect([history.startOffset, history.endOffset, history.lastEpoch]).toEqual([50, 50, 4])
    expect(() => history.append(3, 51)).toThrow(/epoch >= 4/)
    history.append(4, 51)
    expect(history.endOffsetFor(4)).toEqual({ epoch: 4, endOffset: 51 })
  })
})
