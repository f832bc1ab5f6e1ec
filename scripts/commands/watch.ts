/** `watch`: what the brokers of a cluster say over the wire, again and again, as a table that is drawn anew or as JSON. */
import type { Cluster } from '../cluster/cluster.ts'
import { attachCluster } from '../cluster/runtimes.ts'
import type { Change } from '../observe/changes.ts'
import { isUnknown, type Observation, type Watch } from '../observe/model.ts'
import { observe, observeOnce } from '../observe/observe.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'
import { frameOf, type Told } from './watch-frame.ts'

export interface WatchOptions extends CommonOptions {
  readonly topic: readonly string[]
  readonly internal?: boolean
  readonly group: readonly string[]
  readonly groups?: boolean
  readonly quorum?: boolean
  readonly transactions?: boolean
  readonly producers?: boolean
  readonly interval: number
  readonly answer: number
  readonly once?: boolean
}

export async function watch(options: WatchOptions, session: Session): Promise<void> {
  const cluster = await attachCluster(options.name)
  const { interval: intervalMs, answer: answerMs } = options
  const settings = { ...watchedBy(options), answerMs, signal: session.signal }
  const title = `${cluster.spec.name}: ${cluster.spec.engine} on ${cluster.spec.runtime}`
  const told: Told[] = []
  if (options.once === true) {
    const seen = shown(await observeOnce(cluster, settings), options)
    const text = session.output.json ? '' : await frameOf(title, seen, told, namedGroups(options))
    session.output.result({ name: cluster.spec.name, ...seen }, () => text)
    return
  }
  const stream = observe(cluster, { ...settings, intervalMs })
  if (session.output.json) return await printLines(cluster, stream, options, session)
  const screen = process.stdout.isTTY ? new Screen() : undefined
  let startMs: number | undefined
  try {
    for await (const all of stream) {
      const seen = shown(all, options)
      startMs ??= seen.atMs
      remember(told, seen, seen.atMs - startMs)
      const text = await frameOf(title, seen, told, namedGroups(options))
      if (screen !== undefined) screen.draw(text)
      else session.output.line(`${text}\n`)
      await session.output.taken(session.signal)
    }
  } finally {
    screen?.leave()
  }
}

async function printLines(
  cluster: Cluster,
  stream: AsyncIterable<Observation>,
  options: WatchOptions,
  session: Session,
): Promise<void> {
  for await (const seen of stream) {
    session.output.jsonLine({ name: cluster.spec.name, ...shown(seen, options) })
    await session.output.taken(session.signal)
  }
}

/** Topics and the quorum, unless something else is asked for. */
function watchedBy({ topic, group, groups, quorum, transactions, producers }: WatchOptions): Watch {
  const isElsewhere = group.length > 0 || groups === true || quorum === true || transactions === true
  return {
    ...(topic.length > 0 ? { topics: topic } : isElsewhere ? {} : { topics: 'all' }),
    ...(groups === true ? { groups: 'all' } : group.length > 0 ? { groups: group } : {}),
    ...(quorum === true || (topic.length === 0 && !isElsewhere) ? { quorum: true } : {}),
    ...(transactions === true ? { transactions: 'open' } : {}),
    ...(producers === true ? { producers: true } : {}),
  }
}

function namedGroups({ group }: WatchOptions): readonly string[] {
  return group
}

/** Without internal topics, unless they are asked for. */
function shown(observation: Observation, { topic, internal }: WatchOptions): Observation {
  const { topics } = observation
  if (topics === undefined || isUnknown(topics) || internal === true || topic.length > 0) return observation
  const isInternal = (name: string) => name.startsWith('__')
  const isAboutInternal = (change: Change) =>
    ('topic' in change && isInternal(change.topic)) || ('partition' in change && isInternal(change.partition))
  return {
    ...observation,
    topics: Object.fromEntries(Object.entries(topics).filter(([name]) => !isInternal(name))),
    changes: observation.changes.filter(change => !isAboutInternal(change)),
  }
}

/** A high watermark that rises is seen in the table. */
const quiet: readonly Change['kind'][] = ['highWatermarkRose']
const rememberedChanges = 10

function remember(told: Told[], { changes }: Observation, afterMs: number): void {
  told.push(...changes.filter(({ kind }) => !quiet.includes(kind)).map(change => ({ change, afterMs })))
  told.splice(0, told.length - rememberedChanges)
}

/** The other screen of a terminal, so that the one before is there again afterwards, however the command ends. */
class Screen {
  readonly #leave = () => this.leave()
  #isOpen = true

  constructor() {
    process.stdout.write('\u001B[?1049h\u001B[?7l')
    process.once('exit', this.#leave)
  }

  draw(text: string): void {
    const rows = process.stdout.rows ?? 24
    const lines = text.trimEnd().split('\n')
    const hidden = lines.length - rows
    const fitting =
      hidden <= 0 ? lines : [...lines.slice(0, rows - 1), `… ${hidden + 1} more lines: --topic, a taller window`]
    process.stdout.write(`\u001B[H${fitting.map(line => `${line}\u001B[K`).join('\n')}\u001B[J`)
  }

  leave(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    process.off('exit', this.#leave)
    process.stdout.write('\u001B[?7h\u001B[?1049l')
  }
}
