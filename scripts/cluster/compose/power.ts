/**
 * The power failure of a node of ours that is a container: what it had not fsynced is taken from its volume once it has ended, by a container of the
 * same image that has that volume for a moment. Nobody has to reach into volumes, which are not of this machine everywhere.
 */
import { posix } from 'node:path'
import type { NodeFaultProof } from '#broker/environment/faulty/kind.ts'
import { unsyncedNames } from '#broker/environment/faulty/unsynced/unsynced-journal.ts'
import { failure } from '../../errors.ts'
import type { PowerFailureOptions } from '../cluster.ts'
import { wholeLoss } from '../process/power.ts'
import { hasContainerFile, runOnVolumes } from './container.ts'
import { containerFaultDir } from './generator.ts'

const program = '/opt/faultline/power-cut.mjs'

/** For a shell: what is noted of files that are gone is about nothing any more. */
export const forgetUnsyncedCommand = [
  'rm -rf',
  ...Object.values(unsyncedNames).map(name => posix.join(containerFaultDir, name)),
].join(' ')

/** To be asked before the container is ended. */
export async function requireContainerJournal(id: number, container: string): Promise<void> {
  if (await hasContainerFile(container, posix.join(containerFaultDir, unsyncedNames.journal))) return
  throw failure(
    `Node ${id} keeps no journal of what it has not fsynced, so that nothing can be taken from it: its data does not lie in its own volume.`,
    'Leave out --data.',
  )
}

/** Only when the container has ended. */
export async function loseUnsyncedIn(
  container: string,
  options: PowerFailureOptions = wholeLoss,
): Promise<NodeFaultProof> {
  const command = ['node', program, containerFaultDir, JSON.stringify(options)]
  const { exitCode, output } = await runOnVolumes(container, command)
  if (exitCode === 0) return JSON.parse(output) as NodeFaultProof
  throw failure(
    `What ${container} had not fsynced could not be taken from its volume (exit code ${exitCode}): ${output.trim().slice(-500)}`,
  )
}
