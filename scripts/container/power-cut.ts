/**
 * Takes from the disk of a node that has ended what it had not fsynced: `node power-cut.mjs ENGINE DIRECTORY OPTIONS`, with PowerFailureOptions as JSON.
 * The toolkit runs it in a container that has the volumes of the node, and nobody else has then. Prints a NodeFaultProof.
 */
import { loseNotDurable } from '../cluster/apache-kafka/power.ts'
import type { PowerFailureOptions } from '../cluster/cluster.ts'
import { loseUnsynced } from '../cluster/process/power.ts'
import { messageOf } from '../errors.ts'

const [engine, directory, options] = process.argv.slice(2)
if (directory === undefined || options === undefined) {
  console.error('usage: power-cut ENGINE DIRECTORY OPTIONS')
  process.exit(2)
}
try {
  const proof =
    engine === 'apache-kafka'
      ? loseNotDurable(directory)
      : loseUnsynced(directory, JSON.parse(options) as PowerFailureOptions)
  console.log(JSON.stringify(proof))
} catch (error) {
  console.error(messageOf(error))
  process.exit(1)
}
