/** The metadata log of a node whose disk damaged it: what is committed is never cut, and the node says what to do; what is torn above it goes. */
import { describe, expect, it } from 'vitest'
import type { LogConfig } from '#broker/log/log.ts'
import { LogDirectoryError } from '#broker/log/meta-properties.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { makeDurableDirectory, readFile, replaceFile } from '#broker/log/small-files.ts'
import { batchBytes } from '#broker/protocol/records/batch.ts'
import { MetadataLog, openMetadataLog } from '#broker/raft/metadata-log.ts'
import { metadataPartition, metadataTopicId } from '#broker/raft/quorum-wire.ts'
import { defaultConfig, inspect, Machine } from '../log/harness.ts'

const directory = '/meta/__cluster_metadata-0'
const file = `${directory}/recovery-point-offset-checkpoint`
const config: LogConfig = { ...defaultConfig, segmentBytes: 350, indexIntervalBytes: 100 }

interface Opened {
  readonly log: SegmentedLog
  readonly metadata: MetadataLog
}

function open(machine: Machine): Opened {
  const environment = machine.environment()
  makeDurableDirectory(environment.disk, '/meta')
  const log = openMetadataLog({
    environment,
    directory,
    topicPartition: metadataPartition,
    topicId: metadataTopicId,
    config,
  })
  const metadata = new MetadataLog(environment, log, {
    persisted: () => {},
    snapshotReceived: () => {},
    failed: error => {
      throw error
    },
  })
  return { log, metadata }
}

function append({ metadata, log }: Opened, count: number): void {
  for (let index = 0; index < count; index++)
    metadata.append({
      kind: 'records',
      epoch: 1,
      baseOffset: log.logEndOffset,
      values: [Buffer.from(`record ${log.logEndOffset}`)],
    })
}

const text = (machine: Machine): string | undefined => readFile(inspect(machine), file)?.toString()

/** Twenty records, of which twelve are committed and sixteen durable, after a kill. */
function killed(): Machine {
  const machine = new Machine()
  const opened = open(machine)
  opened.metadata.recover()
  append(opened, 16)
  opened.log.flush()
  append(opened, 4)
  opened.metadata.committed(12)
  machine.advance(1000)
  machine.kill()
  return machine
}

/** Where the batch with this offset is: each holds one record. */
function place(machine: Machine, offset: number): { readonly path: string; readonly position: number } {
  const disk = inspect(machine)
  const bases = disk
    .list(directory)
    .filter(({ name }) => name.endsWith('.log'))
    .map(({ name }) => Number.parseInt(name, 10))
    .sort((a, b) => a - b)
  const base = bases.findLast(each => each <= offset)!
  const path = `${directory}/${String(base).padStart(20, '0')}.log`
  const bytes = readFile(disk, path)!
  let position = 0
  for (let at = base; at < offset; at++) position += batchBytes(bytes, position)
  return { path, position }
}

function damage(machine: Machine, offset: number, at = 70): void {
  const { path, position } = place(machine, offset)
  inspect(machine)
    .open(path, 'write')
    .write([Buffer.from([0xee])], position + at)
}

describe('how far the metadata log is committed and durable', () => {
  it('is on disk a second after it rose, and at a stop, in the form of Kafka’s checkpoints', () => {
    const machine = new Machine()
    const opened = open(machine)
    append(opened, 8)
    opened.log.flush()
    append(opened, 4)
    opened.metadata.committed(5)
    machine.advance(500)
    expect(text(machine)).toBeUndefined()
    machine.advance(500)
    expect(text(machine)).toBe('0\n1\n__cluster_metadata 0 5\n')
    // What is committed by others is not durable here yet.
    opened.metadata.committed(11)
    machine.advance(1000)
    expect(text(machine)).toBe('0\n1\n__cluster_metadata 0 8\n')
    opened.log.flush()
    opened.metadata.committed(11)
    opened.metadata.stop()
    expect(text(machine)).toBe('0\n1\n__cluster_metadata 0 11\n')
  })

  it('is lowered on disk before the log is cut below it', () => {
    const machine = killed()
    const { log, metadata } = open(machine)
    metadata.truncateTo(7)
    expect([log.logEndOffset, text(machine)]).toEqual([7, '0\n1\n__cluster_metadata 0 7\n'])
  })

  it('is not known when the file is damaged, which is said', () => {
    const machine = killed()
    replaceFile(inspect(machine), file, 'what?', { durable: true })
    damage(machine, 9)
    expect(open(machine).log.logEndOffset).toBe(9)
    expect(machine.lines.filter(line => line.startsWith('How far the metadata log was committed'))).not.toEqual([])
  })
})

describe('a metadata log that is damaged', () => {
  it('below what is committed is not opened, not cut, and says what to do', () => {
    for (let offset = 0; offset < 12; offset++) {
      // The length, the base offset, the records.
      for (const at of [8, 7, 70]) {
        const machine = killed()
        damage(machine, offset, at)
        const { path } = place(killed(), offset)
        const before = readFile(inspect(machine), path)!
        expect(() => open(machine)).toThrow(LogDirectoryError)
        expect(() => open(machine)).toThrow(/offset 12 was durable.*move everything in .* but quorum-state/)
        expect(readFile(inspect(machine), path)).toEqual(before)
      }
    }
  })

  it('above it ends there, as a torn write does', () => {
    for (let offset = 12; offset < 20; offset++) {
      const machine = killed()
      damage(machine, offset)
      const { log, metadata } = open(machine)
      expect(metadata.recover().log).toMatchObject({ endOffset: offset, durableOffset: 12 })
      expect(log.logEndOffset).toBe(offset)
    }
  })

  it('that lacks the end, or all, of what is committed is not opened', () => {
    const machine = killed()
    const { path, position } = place(machine, 11)
    inspect(machine).open(path, 'write').truncate(position)
    for (const { name } of inspect(machine).list(directory))
      if (name.endsWith('.log') && Number.parseInt(name, 10) > 11) inspect(machine).remove(`${directory}/${name}`)
    expect(() => open(machine).metadata.recover()).toThrow(
      /ends at offset 11, but it was committed up to 12.*quorum-state/,
    )
    const empty = killed()
    for (const { name } of inspect(empty).list(directory))
      if (name.endsWith('.log')) inspect(empty).remove(`${directory}/${name}`)
    expect(() => open(empty).metadata.recover()).toThrow(/ends at offset 0, but it was committed up to 12/)
  })

  it('in the middle, with a whole segment gone, is not opened', () => {
    const machine = killed()
    const { path } = place(machine, 6)
    expect(path).not.toBe(place(machine, 0).path)
    expect(path).not.toBe(place(machine, 11).path)
    inspect(machine).remove(path)
    expect(() => open(machine)).toThrow(LogDirectoryError)
  })

  it('goes on after a kill and after a power failure, with what was durable', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const machine = killed()
      machine.powerFailure(seed)
      const { log, metadata } = open(machine)
      expect(metadata.recover().log.endOffset).toBeGreaterThanOrEqual(16)
      expect(log.logEndOffset).toBeLessThanOrEqual(20)
    }
  })
})
