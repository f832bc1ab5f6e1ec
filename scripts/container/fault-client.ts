/**
 * Brings one order for a fault to the node beside it: `node fault-client.mjs DIRECTORY REQUEST`, with a ControlRequest as JSON. The toolkit runs it in
 * the container of a node, whose socket nobody outside can reach. Prints a ControlReply, or `{"code"}` of the error when the node does not answer.
 */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { faultSocketName } from '#broker/environment/faulty/control-protocol.ts'
import type { ControlReply, ControlRequest } from '../cluster/controlled-node-faults.ts'
import { codeOf, messageOf } from '../errors.ts'
import { askFaultSocket } from './fault-socket.ts'

/** A node that has just been started has no socket yet; Node.js takes a while on a busy machine. */
const appearMs = 60_000

async function ask(socketPath: string, request: ControlRequest): Promise<ControlReply> {
  const endMs = performance.now() + appearMs
  for (;;) {
    try {
      return await askFaultSocket(socketPath, request)
    } catch (error) {
      const code = codeOf(error)
      if ((code !== 'ENOENT' && code !== 'ECONNREFUSED') || performance.now() > endMs) throw error
      await delay(50)
    }
  }
}

const [directory, request] = process.argv.slice(2)
if (directory === undefined || request === undefined) {
  console.error('expected a directory and a request')
  process.exit(2)
}
try {
  console.log(JSON.stringify(await ask(join(directory, faultSocketName), JSON.parse(request) as ControlRequest)))
} catch (error) {
  console.log(JSON.stringify({ code: codeOf(error) ?? messageOf(error) }))
}
