/** The power failure of a node of ours: what it had not fsynced is taken from its disk once it has ended, by the journal that it kept. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { NodeFaultProof } from '#broker/environment/faulty/kind.ts'
import { randomLoss, totalLoss } from '#broker/environment/faulty/power-loss.ts'
import { lookForLoss } from '#broker/environment/faulty/unsynced/loss-proof.ts'
import { cutPower, type LossReport } from '#broker/environment/faulty/unsynced/power-cut.ts'
import { UnsyncedJournal } from '#broker/environment/faulty/unsynced/unsynced-journal.ts'
import { nodeDisk } from '#broker/environment/node/disk.ts'
import { failure } from '../../errors.ts'
import type { PowerFailureOptions } from '../cluster.ts'
import { seededRandom } from '../random.ts'
import { readJson, writeJson } from '../state.ts'

export const wholeLoss: PowerFailureOptions = { loss: 'all', names: 'ordered', seed: 0 }

/** @param directory of the node */
export function keepsJournal(directory: string): boolean {
  return UnsyncedJournal.exists(nodeDisk, directory)
}

/** To be asked before the process is ended. @param directory of the node */
export function requireJournal(id: number, directory: string): void {
  if (keepsJournal(directory)) return
  throw failure(
    `Node ${id} keeps no journal of what it has not fsynced, so that nothing can be taken from it: its data lies on another file system than ${directory}, or the program that it was made into keeps none.`,
    'Leave out --data or choose a folder on that file system; as the version that the cluster began with, a node keeps one.',
  )
}

/** Only when the process has ended. */
export function loseUnsynced(directory: string, options: PowerFailureOptions = wholeLoss): NodeFaultProof {
  const { loss, names, seed } = options
  const lost = cutPower(nodeDisk, directory, loss === 'all' ? totalLoss : randomLoss(seededRandom(seed), names))
  return describeLoss(lost, lookForLoss(nodeDisk, directory, loss === 'all'))
}

/** @param proof what was seen of a file of which one half was fsynced */
export function describeLoss(lost: LossReport, { shown, text }: NodeFaultProof): NodeFaultProof {
  const found = `${lost.bytes} bytes at the end of files, ${lost.files} files and ${lost.names} names are as before their last fsync`
  return { shown, text: `${found}; ${text}` }
}

/**
 * To be called before a node starts. What it noted as another version ends here: this one may keep no journal, or one in other words, and then
 * what the earlier one says of the disk is not true any more.
 *
 * @param version what it is now; undefined: as the cluster
 */
export function continueUnsynced(directory: string, version: string | undefined): void {
  const file = join(directory, 'unsynced.version.json')
  const earlier = (readJson(file) as { readonly version?: string } | undefined)?.version
  if (earlier === version) return
  forgetUnsynced(directory)
  writeJson(file, { version })
}

export function forgetUnsynced(directory: string): void {
  if (existsSync(directory)) UnsyncedJournal.remove(nodeDisk, directory)
}
