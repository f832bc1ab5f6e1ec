/** A lab in front of a person: a prediction before, what happens while it happens, pauses to look around, and which knob to turn next. */
import type { Cluster } from '../cluster/cluster.ts'
import type { Operation } from '../history/operation.ts'
import { ask, type Keyboard } from '../labs/keyboard.ts'
import type { Lab, Variant } from '../labs/lab.ts'
import { Narrator, type Tale, type TaleKind } from '../labs/narrator.ts'
import { viewReplicas, type PartitionColumns, type ReplicaColumn, type ReplicaView } from '../labs/replica-view.ts'
import type { LabQuestion, LabWatcher } from '../labs/watcher.ts'
import { paint } from '../output.ts'
import { table } from './describe.ts'

/** The person has seen enough. Not a failure. */
export class LabStopped extends Error {
  constructor() {
    super('stopped at a pause')
  }
}

/** A person in front of a terminal, or a test that plays one. */
export interface Person {
  readonly keyboard: Keyboard
  readonly say: (text: string) => void
  readonly signal: AbortSignal
}

/** A prediction made before the run is what makes people learn from it; an empty answer skips. */
export async function askPrediction({ question, prediction }: Lab, person: Person): Promise<number | undefined> {
  const { choices } = prediction
  person.say(`\n${paint.bold(question)}\n${choices.map((choice, index) => `  ${index + 1}. ${choice}`).join('\n')}`)
  return await chosenOf(choices.length, 'Your prediction (number, Enter to skip): ', person)
}

/** Which control to run next, step by step; undefined: none. */
export async function askKnob(lab: Lab, variants: readonly Variant[], person: Person): Promise<Variant | undefined> {
  const command = (variant: Variant) => paint.dim(`lab run ${lab.name} --variant ${variant.name}`)
  const lines = variants.map((variant, index) => `  ${index + 1}. ${variant.summary}  ${command(variant)}`)
  person.say(
    `\n${paint.bold('Turn the knob')}: the same, with one thing changed so that it goes wrong.\n${lines.join('\n')}`,
  )
  const index = await chosenOf(variants.length, 'Which one, step by step (number, Enter for none): ', person)
  return index === undefined ? undefined : variants[index]
}

async function chosenOf(count: number, question: string, person: Person): Promise<number | undefined> {
  for (;;) {
    const answer = (await ask(person.keyboard, question, person.signal))?.trim() ?? ''
    if (answer === '') return undefined
    const number = Number(answer)
    if (Number.isInteger(number) && number >= 1 && number <= count) return number - 1
    person.say(`Expected a number from 1 to ${count}, or nothing, got ${JSON.stringify(answer)}.`)
  }
}

export interface WatcherOptions {
  readonly person: Person
  /** Pauses at every step and after every fault. */
  readonly step: boolean
  /** Ends the run; it is called when the person says so at a pause. */
  readonly stop: (reason: LabStopped) => void
}

export class InteractiveWatcher implements LabWatcher {
  readonly #options: WatcherOptions
  #narrator = new Narrator()

  constructor(options: WatcherOptions) {
    this.#options = options
  }

  begins(_: Pick<Lab, 'name'>, { name, role, summary }: Variant): void {
    this.#narrator = new Narrator()
    const what = role === 'control' ? 'control, which must be caught' : 'what Kafka promises'
    this.#say(`\n${paint.bold(name)}: ${summary} ${paint.dim(`(${what})`)}`)
  }

  entry(operation: Operation): void {
    for (const tale of this.#narrator.tell(operation)) this.#say(taleLine(tale))
  }

  async moment(what: string, { cluster, topic }: { readonly cluster: Cluster; readonly topic: string }): Promise<void> {
    const { step, person, stop } = this.#options
    if (!step) return
    person.signal.throwIfAborted()
    const view = await viewReplicas(cluster, topic)
    const show = async () => {
      this.#say(`\n${paint.bold(what)}\n${await sideBySide(view)}`)
      return await ask(person.keyboard, 'Enter goes on, q ends the lab: ', person.signal)
    }
    const answer = cluster.hold === undefined ? await show() : await cluster.hold(show)
    if (answer?.trim().toLowerCase() !== 'q') return
    const reason = new LabStopped()
    stop(reason)
    throw reason
  }

  async ask({ shown, question, choices }: LabQuestion, { cluster }: { readonly cluster: Cluster }) {
    const { person } = this.#options
    const put = async () => {
      const lines = [...shown, paint.bold(question), ...choices.map((choice, index) => `  ${index + 1}. ${choice}`)]
      this.#say(`\n${lines.join('\n')}`)
      return await chosenOf(choices.length, 'Your answer (number, Enter to skip): ', person)
    }
    return cluster.hold === undefined ? await put() : await cluster.hold(put)
  }

  #say(text: string): void {
    this.#options.person.say(text)
  }
}

const colours: Readonly<Record<TaleKind, (text: string) => string>> = {
  step: paint.bold,
  fault: paint.red,
  election: paint.cyan,
  'in-sync': paint.yellow,
  controller: paint.cyan,
  broker: paint.yellow,
  gap: paint.magenta,
}

function taleLine({ atMs, kind, text }: Tale): string {
  const time = `${(atMs / 1000).toFixed(1).padStart(6)} s`
  return `  ${paint.dim(time)}  ${colours[kind](kind === 'step' ? `== ${text}` : text)}`
}

/** One table for each partition, a column for each replica. */
export async function sideBySide({ controller, partitions, unknown }: ReplicaView): Promise<string> {
  const blocks = await Promise.all(partitions.map(partitionBlock))
  return [`quorum: ${controller < 0 ? 'nobody leads it' : `node ${controller} leads`}`, ...blocks, ...unknown].join(
    '\n',
  )
}

async function partitionBlock({ name, leader, leaderEpoch, isr, replicas }: PartitionColumns): Promise<string> {
  const head = [name, ...replicas.map(({ broker }) => `broker ${broker}`)]
  const rows = [
    ['role', ...replicas.map(({ role }) => (role === 'leader' ? paint.bold(role) : role))],
    ['log end', ...replicas.map(({ log }) => (log === undefined ? '?' : String(log.logEndOffset)))],
    ['high watermark', ...replicas.map(({ log }) => String(log?.highWatermark ?? '?'))],
    ['last committed', ...replicas.map(recordsCell)],
  ]
  const who = leader < 0 ? paint.red('nobody leads') : `broker ${leader} leads`
  const text = await table(head, rows)
  return `${name}: ${who}, epoch ${leaderEpoch}, in sync: ${isr.toSorted((a, b) => a - b).join(', ') || 'nobody'}\n${text}`
}

/** `41 w0k1:7 e2`: offset, value, leader epoch; and how many are not committed yet. */
function recordsCell({ log, silent }: ReplicaColumn): string {
  if (log === undefined) return paint.dim(silent ?? 'silent')
  const lines = log.lastRecords.map(({ offset, leaderEpoch, value }) => `${offset} ${value} e${leaderEpoch}`)
  const hidden = log.highWatermark === null ? 0 : log.logEndOffset - log.highWatermark
  return [...lines, ...(hidden > 0 ? [paint.yellow(`+ ${hidden} above it`)] : [])].join('\n')
}
