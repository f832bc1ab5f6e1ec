/**
 * The level of kraft.version that a metadata log, a snapshot or a directory stands at: 0 is a quorum of static voters, 1 a dynamic one, whose
 * voters are in the log itself (KIP-853). Level 1 is not there yet: whoever went on as with static voters would count the wrong votes,
 * so a node that meets it stops and says so.
 * Sources: KIP-853; QuorumStateData (version 1 belongs to kraft.version 1), KRaftVersionRecord.
 */
import type { Disk } from '../environment/environment.ts'
import { LogDirectoryError } from '../log/meta-properties.ts'
import { codec } from '../protocol/codec.ts'
import type { BatchView } from '../protocol/records/batch.ts'
import { controlTypes } from '../protocol/records/batch-build.ts'
import { controlTypeOf, readRecords } from '../protocol/records/batch-read.ts'
import { kraftVersionRecord } from '../protocol/records/control.ts'
import { readFile } from '../log/small-files.ts'

/** The highest level that this node can live with. */
const kraftVersionMax = 0
const quorumStateOfDynamicQuorum = 1

/** A quorum is at a level of kraft.version that this node does not know; the message says what to do. */
export class KraftVersionError extends LogDirectoryError {
  constructor(where: string, level: number) {
    super(
      `${where}: the quorum is at kraft.version ${level} (dynamic voters, KIP-853); this broker knows static voters only (kraft.version ` +
        `${kraftVersionMax}), and a quorum cannot go back. Use Apache Kafka for this cluster, or format a new one with ` +
        'controller.quorum.voters set, without --standalone, --initial-controllers and --no-initial-controllers.',
    )
    this.name = 'KraftVersionError'
  }
}

/** @throws KraftVersionError when a batch of control records raises the level above what this node knows */
export function checkKraftVersion(batch: BatchView, where: string): void {
  if (!batch.isControl) return
  for (const record of readRecords(batch)) {
    if (controlTypeOf(record) !== controlTypes.kraftVersion || record.value === null) continue
    const { kRaftVersion } = codec(kraftVersionRecord, record.value.readInt16BE(0)).decode(record.value)
    if (kRaftVersion > kraftVersionMax) throw new KraftVersionError(where, kRaftVersion)
  }
}

/** @throws KraftVersionError when a `quorum-state` was written by a voter of a dynamic quorum */
export function checkQuorumState(disk: Disk, path: string): void {
  const version = /"data_version"\s*:\s*(\d+)/.exec(readFile(disk, path)?.toString('utf8') ?? '')?.[1]
  if (Number(version) === quorumStateOfDynamicQuorum) throw new KraftVersionError(path, quorumStateOfDynamicQuorum)
}
