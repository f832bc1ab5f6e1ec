/**
 * How a power failure is seen to take what was not fsynced, and nothing else: a file of which one half was fsynced, and the other was not. The
 * process writes it when it begins; whoever has cut its power looks at it.
 */
import type { Disk } from '../../environment.ts'
import type { NodeFaultProof } from '../kind.ts'

const directoryName = 'unsynced.proof'
const fsynced = 'was fsynced'
const unsynced = ', and this was not'

/** @param noting makes the disk that notes what is not durable, in these directories too */
export function writeLossProof(base: Disk, directory: string, noting: (roots: readonly string[]) => Disk): Disk {
  const place = `${directory}/${directoryName}`
  base.makeDirectory(place)
  const disk = noting([place])
  const file = disk.open(`${place}/file`, 'write')
  try {
    file.truncate(0)
    file.write([Buffer.from(fsynced)], 0)
    file.sync()
    disk.syncDirectory(place)
    file.write([Buffer.from(unsynced)], fsynced.length)
  } finally {
    file.close()
  }
  return disk
}

/** @param isTotal all that was not fsynced should be gone, not a part of it */
export function lookForLoss(disk: Disk, directory: string, isTotal: boolean): NodeFaultProof {
  const path = `${directory}/${directoryName}/file`
  const found = disk.stat(path) === undefined ? undefined : contentOf(disk, path)
  if (found === undefined || !found.startsWith(fsynced))
    return { shown: false, text: 'a file that was fsynced is not there, or not whole' }
  const isGone = found === fsynced
  if (!isTotal) return { shown: undefined, text: 'what was not fsynced is lost by chance' }
  return {
    shown: isGone,
    text: `what was not fsynced of a file ${isGone ? 'is gone' : 'is still there'}, the rest is there`,
  }
}

function contentOf(disk: Disk, path: string): string {
  const file = disk.open(path, 'read')
  try {
    const bytes = Buffer.alloc(file.size())
    file.read(bytes, 0)
    return bytes.toString()
  } finally {
    file.close()
  }
}
