/** What a file of a log holds, as a document (`--json`) and as text. Shows damage where it is and goes on behind it. */
import type { Disk } from '#broker/environment/environment.ts'
import { decodeProducerSnapshot } from '#broker/log/producer-snapshots.ts'
import type { TopicPartition } from '#broker/log/log.ts'
import { readFile } from '#broker/log/small-files.ts'
import type { BatchView } from '#broker/protocol/records/batch.ts'
import { compressionNames } from '#broker/protocol/records/batch.ts'
import { MalformedBatchError, readRecords } from '#broker/protocol/records/batch-read.ts'
import { batchesOf, isDamage } from './batches.ts'
import { abortedEntries, offsetEntries, timeEntries } from './index-entries.ts'
import type { LogFile } from './places.ts'
import { decodeControl, decodeInternal, plain, sentence, textOf } from './words.ts'

/** One line of a dump: a batch, a record, an entry; `text` is how people see it. */
export interface Line {
  readonly text: string
  readonly document: Readonly<Record<string, unknown>>
  /** The bytes are not what they should be. */
  readonly isDamaged?: boolean
}

export interface DumpOptions {
  /** Records of batches, too. */
  readonly records: boolean
  readonly partition: TopicPartition
}

export function* dumpFile(disk: Disk, file: LogFile, options: DumpOptions): Generator<Line> {
  switch (file.kind) {
    case 'log':
    case 'metadata-snapshot':
      return yield* dumpBatches(disk, file.path, options)
    case 'index': {
      const { entries, zeroEntries, oddBytes } = offsetEntries(disk, file.path, file.offset)
      for (const { offset, position } of entries)
        yield { text: `offset ${offset} at byte ${position}`, document: { offset, position } }
      return yield* rest(zeroEntries, oddBytes)
    }
    case 'timeindex': {
      const { entries, zeroEntries, oddBytes } = timeEntries(disk, file.path, file.offset)
      for (const { timestamp, offset } of entries)
        yield { text: `${timeText(timestamp)} up to offset ${offset}`, document: { timestamp, offset } }
      return yield* rest(zeroEntries, oddBytes)
    }
    case 'txnindex': {
      const { entries, zeroEntries, oddBytes } = abortedEntries(disk, file.path)
      for (const entry of entries) {
        const { producerId, firstOffset, lastOffset, lastStableOffset } = entry
        const text = `aborted: producer ${producerId}, offsets ${firstOffset} to ${lastOffset}, last stable offset then ${lastStableOffset}`
        yield { text, document: plain(entry) as Record<string, unknown> }
      }
      return yield* rest(zeroEntries, oddBytes)
    }
    case 'snapshot':
      return yield* dumpSnapshot(disk, file.path)
    case 'epochs':
    case 'checkpoint':
    case 'properties':
      for (const line of readFile(disk, file.path)!.toString('utf8').split('\n'))
        if (line.trim() !== '') yield { text: line, document: { line } }
  }
}

function* rest(zeroEntries: number, oddBytes: number): Generator<Line> {
  if (zeroEntries > 0) yield { text: `${zeroEntries} entries of zeros`, document: { zeroEntries } }
  if (oddBytes > 0) yield { text: `${oddBytes} bytes that are no entry`, document: { oddBytes }, isDamaged: true }
}

function* dumpSnapshot(disk: Disk, path: string): Generator<Line> {
  const bytes = readFile(disk, path)!
  const producers = decodeProducerSnapshot(bytes)
  if (producers === undefined) {
    const problem = `${bytes.length} bytes that are no undamaged snapshot of producers`
    return yield { text: problem, document: { problem }, isDamaged: true }
  }
  for (const producer of producers) {
    const { producerId, producerEpoch, coordinatorEpoch, lastTimestamp, currentTxnFirstOffset } = producer
    const last = producer.batches.at(-1)
    const lastSequence = last?.lastSequence ?? -1
    const lastOffset = last?.lastOffset ?? -1
    const open =
      currentTxnFirstOffset < 0 ? 'no transaction open' : `a transaction open since offset ${currentTxnFirstOffset}`
    const text = `producer ${producerId} epoch ${producerEpoch}: last sequence ${lastSequence} at offset ${lastOffset} (${timeText(lastTimestamp)}), ${open}`
    const fields = {
      producerId,
      producerEpoch,
      coordinatorEpoch,
      lastSequence,
      lastOffset,
      lastTimestamp,
      currentTxnFirstOffset,
    }
    yield { text, document: plain(fields) as Record<string, unknown> }
  }
}

function* dumpBatches(disk: Disk, path: string, options: DumpOptions): Generator<Line> {
  for (const found of batchesOf(disk, path)) {
    if (isDamage(found)) {
      const { position, bytes, problem, header } = found
      yield {
        text: `DAMAGED byte ${position}: ${bytes} bytes, ${problem}`,
        document: { position, sizeBytes: bytes, problem, isValid: false, ...header },
        isDamaged: true,
      }
      continue
    }
    const document = batchDocument(found.position, found.batch)
    if (!options.records) {
      yield { text: batchText(found.position, found.batch), document }
      continue
    }
    const { lines, problem } = recordsOf(found.batch, options.partition)
    const records = lines.map(line => line.document)
    yield {
      text: [
        batchText(found.position, found.batch),
        ...lines.map(({ text }) => `  ${text}`),
        ...(problem === undefined ? [] : [`  DAMAGED ${problem}`]),
      ].join('\n'),
      document: { ...document, records, ...(problem === undefined ? {} : { problem }) },
      ...(problem === undefined ? {} : { isDamaged: true }),
    }
  }
}

function batchDocument(position: number, batch: BatchView): Record<string, unknown> {
  return {
    position,
    sizeBytes: batch.sizeBytes,
    baseOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    recordsCount: batch.recordsCount,
    partitionLeaderEpoch: batch.partitionLeaderEpoch,
    compression: compressionNames[batch.compressionId] ?? `unknown (${batch.compressionId})`,
    baseTimestamp: batch.baseTimestamp,
    maxTimestamp: batch.maxTimestamp,
    timestampType: batch.isLogAppendTime ? 'LogAppendTime' : 'CreateTime',
    producerId: plain(batch.producerId),
    producerEpoch: batch.producerEpoch,
    baseSequence: batch.baseSequence,
    lastSequence: batch.lastSequence,
    isTransactional: batch.isTransactional,
    isControl: batch.isControl,
    hasDeleteHorizon: (batch.attributes & 0x40) !== 0,
    magic: batch.magic,
    crc: batch.crc,
    isValid: true,
  }
}

export function batchText(position: number, batch: BatchView): string {
  const offsets =
    batch.baseOffset === batch.lastOffset
      ? `offset ${batch.baseOffset}`
      : `offsets ${batch.baseOffset} to ${batch.lastOffset}`
  const parts = [
    `byte ${position}`,
    offsets,
    `${batch.recordsCount} ${batch.recordsCount === 1 ? 'record' : 'records'}`,
    `${batch.sizeBytes} bytes`,
    `leader epoch ${batch.partitionLeaderEpoch}`,
    timeText(batch.maxTimestamp),
  ]
  if (batch.isCompressed) parts.push(compressionNames[batch.compressionId] ?? `codec ${batch.compressionId}`)
  if (batch.hasProducerId) {
    const sequences = batch.isControl ? '' : ` sequences ${batch.baseSequence} to ${batch.lastSequence}`
    parts.push(`producer ${batch.producerId} epoch ${batch.producerEpoch}${sequences}`)
  }
  if (batch.isTransactional) parts.push('transactional')
  if (batch.isControl) parts.push('control')
  return parts.join(', ')
}

function recordsOf(
  batch: BatchView,
  partition: TopicPartition,
): { readonly lines: readonly Line[]; readonly problem?: string } {
  try {
    const lines = readRecords(batch).map(record => {
      const decoded = batch.isControl ? decodeControl(record) : decodeInternal(partition, record)
      const { offset, timestamp } = record
      const key = textOf(record.key)
      const value = textOf(record.value)
      const headers = record.headers.map(header => ({ key: header.key, value: textOf(header.value) }))
      const said =
        decoded === undefined ? `key ${JSON.stringify(key)} value ${JSON.stringify(value)}` : sentence(decoded)
      const more = headers.length === 0 ? '' : ` headers ${JSON.stringify(headers)}`
      const document = { offset, timestamp, key, value, headers, ...(decoded === undefined ? {} : { decoded }) }
      return { text: `${offset}: ${timeText(timestamp)} ${said}${more}`, document }
    })
    return { lines }
  } catch (error) {
    if (!(error instanceof MalformedBatchError)) throw error
    return { lines: [], problem: `the checksum is right, but its records cannot be read: ${error.message}` }
  }
}

export function timeText(timestamp: number): string {
  if (timestamp < 0) return 'no timestamp'
  // Beyond what a date can be.
  return timestamp > 8.64e15 ? `timestamp ${timestamp}` : new Date(timestamp).toISOString()
}
