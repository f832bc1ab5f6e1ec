/**
 * Changes the cluster all the time: topics come, grow and go, settings, quotas, users and access control entries change, leaders are sent
 * back to their preferred brokers, records are deleted.
 *
 * Promised: in the end every broker shows what was acknowledged, nothing that was refused, and nothing else; preferred leaders lead when
 * asked to; deleted records are gone from every replica, and the others are there.
 */
import type { ElectLeadersResponse } from '#broker/protocol/messages/43-elect-leaders.ts'
import type { MetadataResponse } from '#broker/protocol/messages/03-metadata.ts'
import { errorName } from '#broker/protocol/errors.ts'
import { until, type Actor, type Stage } from './actor.ts'
import {
  accessEntries,
  churn,
  groupSettings,
  type Kind,
  quotas,
  scramUsers,
  settledTopics,
  topics,
} from './admin-kinds.ts'
import { Deletions } from './deletions.ts'
import { Facts } from './facts.ts'
import { Wire } from './wire.ts'

const settled = ['churned-0', 'churned-1', 'churned-2']
const deletedFrom = 'scratch'
const electionMs = 5_000
/** A kind that may have any number of things gets a new one this often, else one of them changes. */
const newOneIn = 3

interface Book {
  readonly kind: Kind
  readonly facts: Facts
}

export class Admin implements Actor {
  readonly name = 'admin'
  readonly #stage: Stage
  readonly #wire: Wire
  readonly #books: readonly Book[]
  readonly #deletions: Deletions
  readonly #pauseMsMax: number
  #running = true
  #named = 0
  #nth = 1
  deeds = 0

  constructor(stage: Stage) {
    const { random } = stage
    this.#stage = stage
    this.#wire = new Wire(stage.cluster)
    const kinds = [topics, settledTopics, groupSettings, quotas, scramUsers, ...(stage.secured ? [accessEntries] : [])]
    this.#books = kinds.map(kind => ({ kind, facts: new Facts() }))
    this.#deletions = new Deletions(this.#wire, stage, { topic: deletedFrom, partitions: random.between(1, 2) })
    this.#pauseMsMax = random.pick([200, 1_000])
  }

  async prepare(): Promise<void> {
    for (const name of settled) await this.#wire.createTopic({ name, partitions: 1 })
    await this.#deletions.prepare()
  }

  async run(): Promise<void> {
    const { world, random } = this.#stage
    while (this.#running) {
      await world.sleep(random.between(10, this.#pauseMsMax))
      this.deeds++
      const way = random.below(10)
      if (way === 0) await this.#elect()
      else if (way <= 2) await this.#deletions.one()
      else await this.#change(random.pick(this.#books))
    }
  }

  stop(): void {
    this.#running = false
  }

  async conclude(deadlineMs: number): Promise<void> {
    for (const broker of this.#wire.brokers) {
      for (const { kind, facts } of this.#books) {
        await until(this.#stage.world, deadlineMs, () =>
          this.#complaint(`${kind.name}s on broker ${broker.host}`, async () =>
            facts.contradiction(await kind.read(this.#wire, broker, this.#namesOf(kind))),
          ),
        )
      }
    }
    await this.#preferredLeadersLead(deadlineMs)
    await this.#deletions.conclude(deadlineMs)
    this.#wire.close()
  }

  /** What is missing, or that the broker does not answer yet. */
  async #complaint(what: string, ask: () => Promise<string | undefined>): Promise<string | undefined> {
    try {
      const missing = await ask()
      return missing === undefined ? undefined : `${what}: ${missing}`
    } catch (error) {
      return `${what}: ${String(error)}`
    }
  }

  #namesOf(kind: Kind): string[] {
    if (kind === settledTopics) return settled
    return Array.from({ length: this.#named }, (_, index) => `${churn}${index}`)
  }

  async #change({ kind, facts }: Book): Promise<void> {
    const { random } = this.#stage
    const open = facts.open()
    const isFull = kind.most !== undefined && facts.count >= kind.most
    if (open.length === 0 || (!isFull && random.chance(1, newOneIn))) {
      if (isFull) return
      const name = kind === settledTopics ? settled[facts.count]! : `${churn}${this.#named++}`
      await this.#set({ kind, facts }, name, kind === topics || kind === accessEntries ? 1 : ++this.#nth)
      return
    }
    const [name, value] = random.pick(open)
    if (random.chance(1, 3)) {
      facts.changed(name, undefined, await kind.remove(this.#wire, name))
      return
    }
    await this.#set({ kind, facts }, name, kind === topics || kind === accessEntries ? Number(value) + 1 : ++this.#nth)
  }

  async #set({ kind, facts }: Book, name: string, nth: number): Promise<void> {
    facts.changed(name, kind.valueOf(nth), await kind.set(this.#wire, name, nth))
  }

  /** All partitions that are led by another than the preferred replica. What becomes of it in the middle of faults is open. */
  async #elect(): Promise<void> {
    const body = { electionType: 0, topicPartitions: null, timeoutMs: electionMs }
    try {
      await this.#wire.send<ElectLeadersResponse>(this.#wire.any(), 43, body, 2)
    } catch (error) {
      this.#stage.world.trace.add('actor', 'debug', 'no answer to ElectLeaders', { error: String(error) })
    }
  }

  async #preferredLeadersLead(deadlineMs: number): Promise<void> {
    await until(this.#stage.world, deadlineMs, () =>
      this.#complaint('preferred leaders', async () => {
        const body = { electionType: 0, topicPartitions: null, timeoutMs: electionMs }
        const answer = await this.#wire.send<ElectLeadersResponse>(this.#wire.any(), 43, body, 2)
        if (answer.errorCode !== 0) return errorName(answer.errorCode)
        for (const broker of this.#wire.brokers) {
          const wanted = { topics: settled.map(name => ({ name })), allowAutoTopicCreation: false }
          const { topics: seen } = await this.#wire.send<MetadataResponse>(broker, 3, wanted, 12)
          for (const { name, partitions } of seen)
            for (const { leaderId, replicaNodes } of partitions)
              if (leaderId !== replicaNodes[0]) return `${name} is led by ${leaderId} of ${replicaNodes.join(', ')}`
        }
        return undefined
      }),
    )
  }
}
