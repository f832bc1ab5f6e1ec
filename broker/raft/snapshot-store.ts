/**
 * Snapshots of the metadata log on disk: `<offset, 20 digits>-<epoch, 10 digits>.checkpoint` beside its segments. A file gets that name only
 * once it is whole and durable; whatever else is left over from a crash is removed at the next start.
 * Source: KIP-630 "Snapshot Format".
 */
import { DiskError, type Disk, type DiskFile } from '../environment/environment.ts'
import { readFile } from '../log/small-files.ts'
import { checkQuorumState } from './kraft-version.ts'
import { readSnapshot, snapshotBatches, type SnapshotContent } from './metadata-batches.ts'
import type { SnapshotId, StoredSnapshot } from './quorum-messages.ts'

const finishedPattern = /^(\d{20})-(\d{10})\.checkpoint$/
const leftoverPattern = /\.checkpoint\.(part|deleted)$/
export const bootstrapFileName = 'bootstrap.checkpoint'

export function snapshotFileName(id: SnapshotId): string {
  return `${String(id.endOffset).padStart(20, '0')}-${String(id.epoch).padStart(10, '0')}.checkpoint`
}

/** Where `kafka-storage format` puts the voters of a dynamic quorum. */
const firstSnapshot = `__cluster_metadata-0/${snapshotFileName({ endOffset: 0, epoch: 0 })}`

/**
 * Whether this node can take part in the quorum of a directory. To be asked before anything is opened: a refusal then leaves the directory as
 * it was, with its mark of a clean stop.
 * @throws KraftVersionError when the quorum is a dynamic one
 */
export function checkDirectoryKraftVersion(disk: Disk, metadataLogDirectory: string): void {
  checkQuorumState(disk, `${metadataLogDirectory}/__cluster_metadata-0/quorum-state`)
  const path = `${metadataLogDirectory}/${firstSnapshot}`
  const bytes = readFile(disk, path)
  if (bytes !== undefined) readSnapshot(bytes, path)
}

/**
 * The records a cluster begins with: `bootstrap.checkpoint` in the metadata log directory, as `kafka-storage format` writes it, or snapshot
 * 0-0 of the log itself. Undefined when there is neither. They are not replicated: the first leader writes them to the log.
 */
export function readBootstrapRecords(disk: Disk, metadataLogDirectory: string): readonly Buffer[] | undefined {
  const places = [bootstrapFileName, firstSnapshot]
  for (const place of places) {
    const path = `${metadataLogDirectory}/${place}`
    const bytes = readFile(disk, path)
    if (bytes !== undefined) return readSnapshot(bytes, path).records
  }
  return undefined
}

/** A snapshot on its way to the disk, under a temporary name. */
export class PartialSnapshot {
  readonly id: SnapshotId
  private readonly disk: Disk
  private readonly directory: string
  private readonly path: string
  private file: DiskFile | undefined
  private bytes = 0
  private isNamed = false

  constructor(disk: Disk, directory: string, id: SnapshotId, suffix: string) {
    this.disk = disk
    this.directory = directory
    this.id = id
    this.path = `${directory}/${snapshotFileName(id).replace(/checkpoint$/, '')}${suffix}.checkpoint.part`
    this.file = disk.open(this.path, 'write')
    this.file.truncate(0)
  }

  get sizeBytes(): number {
    return this.bytes
  }

  append(bytes: Buffer): void {
    this.file?.write([bytes], this.bytes)
    this.bytes += bytes.length
  }

  /** Makes the content durable, still under the temporary name. `done` is not called once the snapshot was dropped. */
  syncLater(done: (error: DiskError | undefined) => void): void {
    this.file?.syncLater(error => {
      if (this.file !== undefined) done(error)
    })
  }

  /** Gives the durable file its name. Throws DiskError; can be done again. */
  finish(): StoredSnapshot {
    this.close()
    if (!this.isNamed) this.disk.rename(this.path, `${this.directory}/${snapshotFileName(this.id)}`)
    this.isNamed = true
    this.disk.syncDirectory(this.directory)
    return { endOffset: this.id.endOffset, epoch: this.id.epoch, bytes: this.bytes }
  }

  drop(): void {
    if (this.file === undefined) return
    this.close()
    this.disk.remove(this.path)
  }

  private close(): void {
    this.file?.close()
    this.file = undefined
  }
}

export class SnapshotStore {
  private readonly disk: Disk
  private readonly directory: string
  private partials = 0

  constructor(disk: Disk, directory: string) {
    this.disk = disk
    this.directory = directory
  }

  /** Finished snapshots, ascending, without the bootstrap one; removes leftovers of a crash. */
  recover(): StoredSnapshot[] {
    const found: StoredSnapshot[] = []
    for (const entry of this.disk.list(this.directory)) {
      const path = `${this.directory}/${entry.name}`
      if (leftoverPattern.test(entry.name)) this.disk.remove(path)
      const match = finishedPattern.exec(entry.name)
      if (match === null) continue
      const id = { endOffset: Number(match[1]), epoch: Number(match[2]) }
      if (id.endOffset > 0) found.push({ ...id, bytes: this.disk.stat(path)?.bytes ?? 0 })
    }
    return found.sort((left, right) => left.endOffset - right.endOffset || left.epoch - right.epoch)
  }

  begin(id: SnapshotId): PartialSnapshot {
    this.partials += 1
    return new PartialSnapshot(this.disk, this.directory, id, `${this.partials}`)
  }

  /** Writes a snapshot of this node's own state; it is durable under its name when `done` is called. */
  write(
    id: SnapshotId,
    content: SnapshotContent & { readonly wallMs: number },
    done: (result: { snapshot: StoredSnapshot } | { error: DiskError }) => void,
  ): void {
    const partial = this.begin(id)
    const about = {
      epoch: id.epoch,
      wallMs: content.wallMs,
      lastContainedLogTimestamp: content.lastContainedLogTimestamp,
    }
    try {
      for (const batch of snapshotBatches(content.records, about)) partial.append(batch)
    } catch (error) {
      partial.drop()
      throw error
    }
    partial.syncLater(error => done(error === undefined ? finished(partial) : { error }))
  }

  load(id: SnapshotId): SnapshotContent {
    const path = `${this.directory}/${snapshotFileName(id)}`
    const bytes = readFile(this.disk, path)
    if (bytes === undefined) throw new Error(`${path}: expected the snapshot there, it is missing`)
    return readSnapshot(bytes, path)
  }

  readChunk(id: SnapshotId, position: number, bytes: number): Buffer {
    const file = this.disk.open(`${this.directory}/${snapshotFileName(id)}`, 'read')
    try {
      const chunk = Buffer.alloc(bytes)
      return chunk.subarray(0, file.read(chunk, position))
    } finally {
      file.close()
    }
  }

  remove(ids: readonly SnapshotId[]): void {
    for (const id of ids) this.disk.remove(`${this.directory}/${snapshotFileName(id)}`)
  }
}

function finished(partial: PartialSnapshot): { snapshot: StoredSnapshot } | { error: DiskError } {
  try {
    return { snapshot: partial.finish() }
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    return { error }
  }
}
