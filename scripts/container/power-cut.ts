/**
 * Takes from the disk of a node that has ended what it had not fsynced: `node power-cut.mjs DIRECTORY OPTIONS`, with PowerFailureOptions as JSON. The
 * toolkit runs it in a container that has the volume of the node, and nobody else has then. Prints a NodeFaultProof.
 */
import type { PowerFailureOptions } from '../cluster/cluster.ts'
import { loseUnsynced } from '../cluster/process/power.ts'
import { messageOf } from '../errors.ts'

const [directory, options] = process.argv.slice(2)
if (directory === undefined || options === undefined) {
  console.error('usage: power-cut DIRECTORY OPTIONS')
  process.exit(2)
}
try {
  console.log(JSON.stringify(loseUnsynced(directory, JSON.parse(options) as PowerFailureOptions)))
} catch (error) {
  console.error(messageOf(error))
  process.exit(1)
}
