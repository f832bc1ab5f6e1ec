/** Follows the output of containers line by line, until Ctrl-C. */
import { createInterface } from 'node:readline'
import { PassThrough } from 'node:stream'
import type { NodeState } from '../cluster.ts'
import { docker } from './docker.ts'

export async function followContainers(
  nodes: readonly NodeState[],
  line: (id: number, text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const engine = await docker()
  await Promise.all(
    nodes.map(async node => {
      if (node.container === undefined) return
      const stream = await engine
        .getContainer(node.container)
        .logs({ follow: true, stdout: true, stderr: true, tail: 0 })
      const text = new PassThrough()
      engine.modem.demuxStream(stream, text, text)
      stream.on('end', () => text.end())
      signal.addEventListener('abort', () => text.destroy(new Error('interrupted')), { once: true })
      for await (const entry of createInterface({ input: text })) line(node.id, entry)
    }),
  )
}
