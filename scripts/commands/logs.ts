/** `logs`: the newest lines of each node, each line with the node's number in front; with --follow, as they come. */
import { watch } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Cluster, NodeState } from '../cluster/cluster.ts'
import { attachCluster } from '../cluster/runtimes.ts'
import { codeOf, usageError } from '../errors.ts'
import { paint } from '../output.ts'
import type { CommonOptions } from './options.ts'
import { resolveNodes } from './options.ts'
import type { Session } from './session.ts'

interface LogsOptions extends CommonOptions {
  readonly lines: number
  readonly follow?: boolean
}

export async function logs(names: readonly string[], options: LogsOptions, session: Session): Promise<void> {
  if (options.follow === true && options.json === true)
    throw usageError('--follow never ends, so there is no one JSON document: leave --json away.')
  const cluster = await attachCluster(options.name)
  const ids = await resolveNodes(cluster, names.length === 0 ? ['all'] : names)
  const texts = await Promise.all(ids.map(async id => ({ id, lines: await linesOf(cluster, id, options.lines) })))
  session.output.result(
    texts.map(({ id, lines }) => ({ id, lines })),
    () => texts.flatMap(({ id, lines }) => lines.map(line => prefixed(id, line))).join('\n'),
  )
  if (options.follow !== true) return
  try {
    await follow(cluster, ids, session)
  } catch (error) {
    // Ctrl-C is how it is meant to end.
    if (!session.signal.aborted) throw error
  }
}

async function linesOf(cluster: Cluster, id: number, lines: number): Promise<string[]> {
  try {
    const text = await cluster.logs(id, { lines })
    return text === '' ? [] : text.trimEnd().split('\n')
  } catch (error) {
    // A node that was never started has no log yet.
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

const colours = [paint.cyan, paint.magenta, paint.yellow, paint.green, paint.blue]

function prefixed(id: number, line: string): string {
  const colour = colours[id % colours.length] ?? paint.cyan
  return `${colour(`${String(id).padStart(3)} |`)} ${line}`
}

async function follow(cluster: Cluster, ids: readonly number[], session: Session): Promise<void> {
  const nodes = (await cluster.nodes()).filter(node => ids.includes(node.id))
  if (cluster.spec.runtime === 'compose') {
    const { followContainers } = await import('../cluster/compose/follow.ts')
    await followContainers(nodes, (id, line) => session.output.line(prefixed(id, line)), session.signal)
    return
  }
  await Promise.race([interrupted(session.signal), ...nodes.map(node => followFile(node, session))])
}

/** Prints what is appended to the file, without end. */
async function followFile(node: NodeState, session: Session): Promise<void> {
  const file = await open(node.log, 'r')
  let position = (await file.stat()).size
  let rest = ''
  const readOn = async () => {
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, position)
      if (bytesRead === 0) return
      position += bytesRead
      const lines = (rest + buffer.toString('utf8', 0, bytesRead)).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) session.output.line(prefixed(node.id, line))
    }
  }
  const changes = watch(node.log)
  let reading = Promise.resolve()
  try {
    await new Promise<void>((_, reject) => {
      changes.on('change', () => {
        reading = reading.then(readOn)
        reading.catch(reject)
      })
      changes.on('error', reject)
      session.signal.addEventListener('abort', () => reject(session.signal.reason))
    })
  } finally {
    changes.close()
    await file.close()
  }
}

function interrupted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}
