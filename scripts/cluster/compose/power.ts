/**
 * The power failure of a node that is a container: what it had not fsynced is taken from its volumes once it has ended, by a container that has them for a
 * moment. Nobody has to reach into volumes, which are not of this machine everywhere. A node of ours has kept a journal of what is not fsynced; of Apache
 * Kafka, the library in front of it what is.
 */
import { posix } from 'node:path'
import type { NodeFaultProof } from '#broker/environment/faulty/kind.ts'
import { unsyncedNames } from '#broker/environment/faulty/unsynced/unsynced-journal.ts'
import { failure } from '../../errors.ts'
import { durableNames, forgottenNames } from '../apache-kafka/durable-tree.ts'
import { nobodyKnowsDurable, requireKafkasLoss } from '../apache-kafka/power.ts'
import type { Engine, PowerFailureOptions } from '../cluster.ts'
import { wholeLoss } from '../process/power.ts'
import { hasContainerFile, runOnVolumes } from './container.ts'
import { ensureImage } from './docker.ts'
import { brokerImage, containerFaultDir } from './generator.ts'

const program = '/opt/faultline/power-cut.mjs'

/**
 * For a shell, before the files are removed that it is about: of an Apache Kafka whose disk is half removed nothing may be taken for durable. What says
 * that all of it is known goes first.
 */
export const forgetUnsyncedCommand = [
  'rm -rf',
  ...[...forgottenNames, ...Object.values(unsyncedNames)].map(name => posix.join(containerFaultDir, name)),
].join(' ')

/** Before a container is made anew: another program may note nothing of what is not fsynced, and then what this one noted is not true any more. */
export async function forgetUnsyncedIn(container: string, id: number): Promise<void> {
  const { exitCode, output } = await runOnVolumes(container, ['sh', '-c', forgetUnsyncedCommand])
  if (exitCode !== 0) throw failure(`The volumes of node ${id} cannot be written (exit code ${exitCode}): ${output}`)
}

/** To be asked before the container is ended: that it can lose its power, and that what takes it is there. */
export async function preparePowerFailure(
  engine: Engine,
  { id, container }: { readonly id: number; readonly container: string },
  options: PowerFailureOptions = wholeLoss,
): Promise<void> {
  if (engine === 'apache-kafka') requireKafkasLoss(options)
  if (!(await knowsUnsynced(engine, container)))
    throw engine === 'apache-kafka'
      ? nobodyKnowsDurable(id, `docker logs ${container}`)
      : failure(
          `Node ${id} keeps no journal of what it has not fsynced, so that nothing can be taken from it: its data does not lie in its own volume.`,
          'Leave out --data.',
        )
  await ensureImage(() => {}, undefined)
}

/** Whether it is written down in the volumes of a node what of them is fsynced. Nothing is any more when that was taken away to its end. */
export async function knowsUnsynced(engine: Engine, container: string): Promise<boolean> {
  const known = engine === 'apache-kafka' ? durableNames.ready : unsyncedNames.journal
  return await hasContainerFile(container, posix.join(containerFaultDir, known))
}

/** Only when the container has ended. */
export async function loseUnsyncedIn(
  engine: Engine,
  container: string,
  options: PowerFailureOptions = wholeLoss,
): Promise<NodeFaultProof> {
  const command = ['node', program, engine, containerFaultDir, JSON.stringify(options)]
  const { exitCode, output } = await runOnVolumes(container, command, brokerImage)
  if (exitCode === 0) return JSON.parse(output) as NodeFaultProof
  throw failure(
    `What ${container} had not fsynced could not be taken from its volume (exit code ${exitCode}): ${output.trim().slice(-500)}`,
  )
}
