/**
 * The power failure of an Apache Kafka, wherever it runs: what it had not fsynced is taken from its disk once it has ended, by what the library in front of it
 * has kept of what is.
 */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { NodeFaultProof } from '#broker/environment/faulty/kind.ts'
import { lookForLoss } from '#broker/environment/faulty/unsynced/loss-proof.ts'
import { nodeDisk } from '#broker/environment/node/disk.ts'
import { failure, usageError } from '../../errors.ts'
import type { PowerFailureOptions } from '../cluster.ts'
import { describeLoss, wholeLoss } from '../process/power.ts'
import { durableNames, forgottenNames, loseWhatIsNotDurable } from './durable-tree.ts'

/** To be asked before the node is ended. */
export function requireKafkasLoss({ loss }: PowerFailureOptions = wholeLoss): void {
  if (loss === 'part')
    throw usageError(
      '--loss part is not there on the engine apache-kafka: what is durable of it is known, not what else may be on its disk.',
      'Leave it away: all that was not fsynced gets lost.',
    )
}

/** @param logCommand shows what the library has said */
export function nobodyKnowsDurable(id: number, logCommand: string): Error {
  return failure(
    `Nobody knows what node ${id} has fsynced: its file system does not say when a file was made, or has no room left.`,
    `${logCommand} may tell why.`,
  )
}

/** Whether it is written down what of its disk is fsynced. @param directory of its orders */
export function knowsDurable(directory: string): boolean {
  return existsSync(join(directory, durableNames.ready))
}

/** Only when it has ended. @param directory of its orders */
export function loseNotDurable(directory: string): NodeFaultProof {
  return describeLoss(loseWhatIsNotDurable(directory), lookForLoss(nodeDisk, directory, true))
}

/** Its disk was emptied, or is about to be. @param directory of its orders */
export function forgetDurable(directory: string): void {
  for (const name of forgottenNames) rmSync(join(directory, name), { recursive: true, force: true })
}
