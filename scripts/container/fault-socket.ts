/** One question to the socket where a node takes orders for faults: for the toolkit beside the node, and for the client in its container. */
import type { ControlReply, ControlRequest } from '../cluster/controlled-node-faults.ts'

/** A node may be in the middle of slow calls. A proof takes a few seconds, a stall up to a minute. */
const answerMs = 120_000

/** Rejects with the error of the system (ENOENT, ECONNREFUSED …), or ETIMEDOUT. */
export function askFaultSocket(
  socketPath: string,
  { method, path, body }: ControlRequest,
  signal?: AbortSignal,
): Promise<ControlReply> {
  return new Promise((resolve, reject) => {
    // Imported, the module has all its properties read, and one of them loads a WebSocket client: a fifth of the time that `up` takes.
    const asked = process
      .getBuiltinModule('node:http')
      .request({ socketPath, method, path, timeout: answerMs, agent: false, ...(signal && { signal }) }, response => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (text += chunk))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
        response.on('error', reject)
      })
    asked.on('error', reject)
    asked.on('timeout', () => asked.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })))
    asked.end(body === undefined ? '' : JSON.stringify(body))
  })
}
