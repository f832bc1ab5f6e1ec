/**
 * Whether a cluster serves: every broker that should be up answers and knows all the others as unfenced, and on each of them a record can
 * be written with acks=all and read back. Asked on the wire, of the brokers themselves: nothing is concluded from a log line.
 *
 * The probe topic is removed again; its name begins like Kafka's internal topics, so that tools which hide those hide it too.
 */
import { errorName, type ErrorName } from '#broker/protocol/errors.ts'
import { exitCodes, failure, messageOf, ToolkitError } from '../errors.ts'
import type { ClusterLinks } from '../proxy/model.ts'
import type { ClusterSpec, LabClock, NodeState, Progress, QuorumView } from './cluster.ts'
import type { ConnectionOptions, Endpoint } from './wire.ts'
import { WireClient } from './wire.ts'
import {
  allTopics,
  createTopic,
  deleteTopic,
  describeQuorum,
  errorCodes,
  fetchFrom,
  metadata,
  produceOne,
  unregisterBroker,
} from './wire-requests.ts'

export interface ReadyOptions {
  readonly spec: ClusterSpec
  readonly clock: LabClock
  /** Asked often: should be cheap. */
  readonly nodes: () => Promise<readonly NodeState[]>
  /** The last lines of a node's log, where that is possible of this start alone, for the message when it has died. */
  readonly logs: (id: number, lines: number) => Promise<string>
  /** What may be broken of them is told of when it is too late. */
  readonly links?: Pick<ClusterLinks, 'faults'> | undefined
  /** Differs from every earlier probe of this cluster. */
  readonly probeName: string
  readonly timeoutMs: number
  /** How to connect to a broker. */
  readonly client: ConnectionOptions
  readonly signal?: AbortSignal | undefined
  readonly progress?: Progress | undefined
}

/** What topics of probes begin with that this process makes in clusters outside of it. */
export const probePrefix = `__faultline_ready_${process.pid}_`

const POLL_MS = 15
/** How long one question may take before it is asked again on a new connection. */
const ATTEMPT_MS = 5_000

export async function waitUntilReady(options: ReadyOptions): Promise<void> {
  const run = new ReadyCheck(options)
  try {
    await run.everyBrokerIsUnfenced()
    await run.recordsGoThrough()
  } finally {
    run.close()
  }
}

class ReadyCheck {
  readonly #options: ReadyOptions
  readonly #deadlineMs: number
  readonly #clients = new Map<number, WireClient>()

  constructor(options: ReadyOptions) {
    this.#options = options
    this.#deadlineMs = options.clock.nowMs() + options.timeoutMs
  }

  async everyBrokerIsUnfenced(): Promise<void> {
    const expected = (await this.#upBrokers()).map(node => node.id)
    if (expected.length === 0) {
      const { name } = this.#options.spec
      throw failure(`No broker of ${name} is up.`, `./faultline start all --name ${name} starts them.`)
    }
    await Promise.all(
      expected.map(id =>
        this.#until(`broker ${id}`, async () => {
          const { brokers } = await this.#ask(id, metadata)
          const missing = expected.filter(other => !brokers.some(broker => broker.id === other))
          return missing.length === 0 ? undefined : `does not see broker ${missing.join(', ')} unfenced yet`
        }),
      ),
    )
  }

  async recordsGoThrough(): Promise<void> {
    const { spec, probeName: topic } = this.#options
    const ids = (await this.#upBrokers()).map(node => node.id)
    const replicas = Math.min(3, ids.length)
    // One partition led by each broker, its replicas on the next ones.
    const assignments = ids.map((_, first) =>
      Array.from({ length: replicas }, (_, step) => ids[(first + step) % ids.length] ?? 0),
    )
    const leastInSync = Number(spec.settings['min.insync.replicas'] ?? (spec.brokers >= 3 ? 2 : 1))
    const settings = { 'min.insync.replicas': String(Math.min(leastInSync, replicas)) }
    // Any broker forwards to the controller; when one cannot, another is asked.
    let turn = 0
    const next = () => ids[turn++ % ids.length] ?? 0
    await this.#until('the controller', async () => {
      const answer = await this.#ask(next(), client =>
        createTopic(client, { name: topic, placement: assignments, settings }, ATTEMPT_MS),
      )
      const done = answer.errorCode === errorCodes.none || answer.errorCode === errorCodes.topicAlreadyExists
      if (!done) this.#failIfFinal('the topic of the probe cannot be created', answer.errorCode, answer.message)
      return done ? undefined : `does not create a topic: ${errorName(answer.errorCode)} ${answer.message}`
    })
    await Promise.all(ids.map((id, partition) => this.#roundTrip(topic, partition, id)))
    await this.#until('the controller', async () => {
      const code = await this.#ask(next(), client => deleteTopic(client, topic, ATTEMPT_MS))
      if (code === TOPIC_DELETION_DISABLED)
        this.#options.progress?.(`The probe topic ${topic} stays: delete.topic.enable is false.`)
      const done =
        code === errorCodes.none || code === errorCodes.unknownTopicOrPartition || code === TOPIC_DELETION_DISABLED
      return done ? undefined : `does not delete the probe topic: ${errorName(code)}`
    })
  }

  async #roundTrip(topic: string, partition: number, preferred: number): Promise<void> {
    const value = Buffer.from(`probe of partition ${partition}`)
    let leader = preferred
    await this.#until(`broker ${preferred}`, async () => {
      const produced = await this.#ask(leader, client => produceOne(client, { topic, partition }, value, ATTEMPT_MS))
      if (produced.errorCode !== errorCodes.none) {
        this.#failIfFinal(`broker ${preferred} cannot take a record of ${value.length} bytes`, produced.errorCode)
        const [found] = (await this.#ask(leader, client => metadata(client, [topic]))).topics
        const now = found?.partitions.find(candidate => candidate.index === partition)?.leader
        if (now !== undefined && now >= 0) leader = now
        return `does not take a record: ${errorName(produced.errorCode)}`
      }
      const from = { topic, partition, offset: produced.offset }
      const fetched = await this.#ask(leader, client => fetchFrom(client, from, 500))
      if (fetched.errorCode === errorCodes.none && fetched.batches.includes(value)) return undefined
      return `does not give the record back: ${errorName(fetched.errorCode)}`
    })
  }

  /** Asks until the answer is undefined (good); a text or an error says what is missing so far. */
  async #until(who: string, ask: () => Promise<string | undefined>): Promise<void> {
    const { clock, signal } = this.#options
    for (;;) {
      signal?.throwIfAborted()
      let missing: string | undefined
      try {
        missing = await ask()
      } catch (error) {
        if (error instanceof UselessCluster) throw error
        missing = `does not answer: ${messageOf(error)}`
      }
      if (missing === undefined) return
      await this.#failIfDead()
      if (clock.nowMs() >= this.#deadlineMs) {
        throw await this.#tooLate(`${who} ${missing}`)
      }
      await clock.sleep(POLL_MS)
    }
  }

  async #tooLate(missing: string): Promise<Error> {
    const { spec, timeoutMs, links } = this.#options
    const text = `The cluster was not ready after ${timeoutMs / 1000} s: ${missing}.`
    const logs = `./faultline logs --name ${spec.name} shows what the nodes say.`
    try {
      const faults = (await links?.faults()) ?? []
      if (faults.length > 0) return brokenLinks(text, faults, spec.name)
      return failure(text, logs)
    } catch (error) {
      return failure(`${text} Nor can it be told whether its links are broken: ${messageOf(error)}`, logs, error)
    }
  }

  /** Some answers come of the settings, and no waiting changes them. */
  #failIfFinal(what: string, code: number, message = ''): void {
    const error = errorName(code)
    if (!finalErrors.has(error)) return
    const { name, settings } = this.#options.spec
    const given = Object.entries(settings).map(([key, value]) => `${key}=${value}`)
    throw new UselessCluster(
      `The cluster ${name} runs but is of no use: ${what}: ${[error, message].filter(text => text !== '').join(', ')}.`,
      given.length === 0
        ? `./faultline logs --name ${name} shows what the nodes say.`
        : `Look at what --set says: ${given.join(', ')}.`,
    )
  }

  async #failIfDead(): Promise<void> {
    for (const node of await this.#options.nodes()) {
      if (node.state !== 'dead') continue
      const tail = await this.#options.logs(node.id, 15)
      throw failure(`Node ${node.id} has ended by itself. The last lines of its log:\n${tail.trimEnd()}`)
    }
  }

  async #upBrokers(): Promise<NodeState[]> {
    const nodes = await this.#options.nodes()
    return nodes.filter(
      node => node.roles.includes('broker') && (node.state === 'running' || node.state === 'starting'),
    )
  }

  /** One question to one broker; a connection on which it failed is not used again. */
  async #ask<T>(id: number, question: (client: WireClient) => Promise<T>): Promise<T> {
    const client = await this.#client(id)
    try {
      return await within(this.#options.clock, ATTEMPT_MS, question(client))
    } catch (error) {
      client.close()
      throw error
    }
  }

  async #client(id: number): Promise<WireClient> {
    const open = this.#clients.get(id)
    if (open?.isOpen === true) return open
    const node = (await this.#options.nodes()).find(candidate => candidate.id === id)
    if (node === undefined) throw new Error(`there is no node ${id}`)
    const client = await WireClient.open(node, this.#options.client)
    const meanwhile = this.#clients.get(id)
    if (meanwhile?.isOpen === true) {
      client.close()
      return meanwhile
    }
    this.#clients.set(id, client)
    return client
  }

  close(): void {
    for (const client of this.#clients.values()) client.close()
    this.#clients.clear()
  }
}

const TOPIC_DELETION_DISABLED = 73

/** It will not become ready by waiting. */
class UselessCluster extends ToolkitError {
  constructor(message: string, remedy: string) {
    super(exitCodes.failed, message, { remedy })
  }
}

const finalErrors: ReadonlySet<ErrorName> = new Set<ErrorName>([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_TIMESTAMP',
  'INVALID_RECORD',
  'INVALID_CONFIG',
  'POLICY_VIOLATION',
])

/** The active controller as the first broker that answers knows it. */
export async function askQuorum(
  endpoints: readonly Endpoint[],
  clock: LabClock,
  client: ConnectionOptions,
): Promise<QuorumView | undefined> {
  const ask = async (endpoint: Endpoint): Promise<QuorumView> => {
    const connection = await WireClient.open(endpoint, client)
    try {
      const view = await within(clock, ATTEMPT_MS, describeQuorum(connection))
      if (view === undefined) throw new Error('no leader')
      return view
    } finally {
      connection.close()
    }
  }
  try {
    return await Promise.any(endpoints.map(ask))
  } catch (error) {
    // No broker can name a leader: for the caller that is an answer.
    if (error instanceof AggregateError) return undefined
    throw error
  }
}

/**
 * Brokers that are gone and do not come back: the controller knows them no more, nor probes of this process that were cut off. Asks one endpoint after
 * the other until one can have it done.
 */
export async function unregister(
  ids: readonly number[],
  endpoints: readonly Endpoint[],
  clock: LabClock,
  client: ConnectionOptions,
): Promise<void> {
  const troubles: string[] = []
  for (const endpoint of endpoints) {
    try {
      return await unregisterAt(endpoint, ids, clock, client)
    } catch (error) {
      troubles.push(messageOf(error))
    }
  }
  throw failure(
    `Broker ${ids.join(', ')} may stay registered, and fenced: ${troubles.join('; ') || 'no broker is up'}.`,
  )
}

async function unregisterAt(
  endpoint: Endpoint,
  ids: readonly number[],
  clock: LabClock,
  client: ConnectionOptions,
): Promise<void> {
  const done = new AbortController()
  const ask = async (): Promise<void> => {
    const connection = await WireClient.open(endpoint, client, done.signal)
    done.signal.addEventListener('abort', () => connection.close(), { once: true })
    const take = (code: number, others: readonly number[]) => {
      if (code !== errorCodes.none && !others.includes(code))
        throw new Error(`${endpoint.host}:${endpoint.port} answers ${errorName(code)}`)
    }
    const { topics } = await allTopics(connection)
    for (const { name } of topics.filter(topic => topic.name.startsWith(probePrefix)))
      take(await deleteTopic(connection, name, ATTEMPT_MS), [
        errorCodes.unknownTopicOrPartition,
        TOPIC_DELETION_DISABLED,
      ])
    for (const id of ids) take(await unregisterBroker(connection, id), [errorCodes.brokerIdNotRegistered])
  }
  try {
    await within(clock, ATTEMPT_MS, ask())
  } finally {
    done.abort()
  }
}

async function within<T>(clock: LabClock, ms: number, work: Promise<T>): Promise<T> {
  const done = new AbortController()
  const late = clock.sleep(ms, done.signal).then(() => {
    throw new Error(`no answer within ${ms} ms`)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    done.abort()
  }
}

function brokenLinks(text: string, faults: readonly { readonly id: string }[], name: string): Error {
  return failure(
    `${text} Its links are broken: ${faults.map(({ id }) => id).join(', ')}.`,
    `./faultline fault heal --all --name ${name}, and try again.`,
  )
}
