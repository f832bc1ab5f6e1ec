/** `log explain`: a log in words. */
import { resolve } from 'node:path'
import { nodeDisk } from '#broker/environment/node/disk.ts'
import { dumpFile } from '../log-files/dump.ts'
import { explainLog, purposes } from '../log-files/explain.ts'
import { parentOf, partitionAt, placeAt } from '../log-files/places.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

export async function explain(
  path: string,
  options: CommonOptions & { readonly batches: number },
  session: Session,
): Promise<void> {
  const lines: string[] = []
  for (const line of story(resolve(path), options.batches)) {
    if (session.output.json) lines.push(line)
    else {
      session.output.line(line)
      await session.output.taken(session.signal)
    }
  }
  if (session.output.json) session.output.result(lines, () => '')
}

function* story(path: string, batches: number): Generator<string> {
  const place = placeAt(nodeDisk, path)
  if (place.kind === 'partition') return yield* explainLog(nodeDisk, place.partition, { batches })
  if (place.kind === 'data') {
    yield `The data directory of a broker: one directory for each partition that has a replica here, and files about all of them.`
    for (const partition of place.data.partitions) {
      const segments = partition.baseOffsets.length
      yield `  ${partition.path.slice(path.length + 1)}: partition ${partition.partition.partition} of ${partition.partition.topic}, ${segments} ${segments === 1 ? 'segment' : 'segments'}`
    }
    for (const file of place.data.files) yield `  ${file.path.slice(path.length + 1)}: ${purposes[file.kind] ?? ''}`
    yield 'Name one of the partitions to hear more.'
    return
  }
  const { file } = place
  const directory = partitionAt(nodeDisk, parentOf(file.path))
  if (file.kind === 'log') return yield* explainLog(nodeDisk, directory, { batches, only: file.offset })
  yield (
    purposes[file.kind] ??
    'A snapshot of the metadata: everything the log said up to the offset in its name, written anew.'
  )
  for (const { text } of dumpFile(nodeDisk, file, { records: true, partition: directory.partition })) yield `  ${text}`
}
