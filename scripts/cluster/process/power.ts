/** The power failure of a node that is a process: what it had not fsynced is taken from its disk once it has ended, by the journal that it kept. */
import { existsSync } from 'node:fs'
import type { NodeFaultProof } from '#broker/environment/faulty/kind.ts'
import { randomLoss, totalLoss } from '#broker/environment/faulty/power-loss.ts'
import { lookForLoss } from '#broker/environment/faulty/unsynced/loss-proof.ts'
import { cutPower } from '#broker/environment/faulty/unsynced/power-cut.ts'
import { UnsyncedJournal } from '#broker/environment/faulty/unsynced/unsynced-journal.ts'
import { nodeDisk } from '#broker/environment/node/disk.ts'
import { failure } from '../../errors.ts'
import type { PowerFailureOptions } from '../cluster.ts'
import { seededRandom } from '../random.ts'

const wholeLoss: PowerFailureOptions = { loss: 'all', names: 'ordered', seed: 0 }

/** To be asked before the process is ended. @param directory of the node */
export function requireJournal(id: number, directory: string): void {
  if (UnsyncedJournal.exists(nodeDisk, directory)) return
  throw failure(
    `Node ${id} keeps no journal of what it has not fsynced, so that nothing can be taken from it: its data lies on another file system than ${directory}.`,
    'Leave out --data, or choose a folder on that file system.',
  )
}

/** Only when the process has ended. */
export function loseUnsynced(directory: string, options: PowerFailureOptions = wholeLoss): NodeFaultProof {
  const { loss, names, seed } = options
  const lost = cutPower(nodeDisk, directory, loss === 'all' ? totalLoss : randomLoss(seededRandom(seed), names))
  const { shown, text } = lookForLoss(nodeDisk, directory, loss === 'all')
  const found = `${lost.bytes} bytes at the end of files, ${lost.files} files and ${lost.names} names are as before their last fsync`
  return { shown, text: `${found}; ${text}` }
}

export function forgetUnsynced(directory: string): void {
  if (existsSync(directory)) UnsyncedJournal.remove(nodeDisk, directory)
}
