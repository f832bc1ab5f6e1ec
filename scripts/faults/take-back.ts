/** Faults that nobody wants any more by the time they are at work. */
import type { Cluster } from '../cluster/cluster.ts'
import { takingBack } from '../settle.ts'
import { activeFaults, healListed } from './active.ts'
import { faultKind } from './catalogue.ts'
import type { ActiveFault, AppliedFault } from './kind.ts'

/** Of `faults`, heals what is at work, and starts the nodes that they have ended. @returns what to throw */
export async function takeBack(cluster: Cluster, faults: readonly AppliedFault[], reason: unknown): Promise<unknown> {
  return await takingBack(reason, async () => await endFaults(cluster, faults))
}

/** Heals what is left of these faults: also the node that one of them ended. @returns what was healed */
export async function endFaults(cluster: Cluster, faults: readonly AppliedFault[]): Promise<readonly ActiveFault[]> {
  const ended = faults.filter(({ name }) => faultKind(name).endsNodes === true)
  const isOurs = ({ id, name, node }: ActiveFault) =>
    faults.some(fault => fault.id === id) || (name === 'down' && ended.some(fault => fault.node === node))
  const left = (await activeFaults(cluster)).filter(isOurs)
  if (left.length > 0) await healListed(cluster, left)
  return left
}
