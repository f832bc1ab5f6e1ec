/**
 * A group of the consumer protocol (KIP-848): members join, beat, give partitions back when asked to, leave, fall silent and come again, and
 * commit ever higher offsets for what they own. Sources: KIP-848; KIP-1251 for commits while partitions move.
 *
 * Promised: by the log of the group no partition ever belongs to two members, and a member's epoch never goes back; a committed offset
 * never goes back, since whoever lost a partition cannot commit for it; in the end the members own all partitions, each one once.
 */
import type { Actor, Stage } from './actor.ts'
import { until } from './actor.ts'
import { GroupMember, type Commits } from './group-member.ts'
import { judgeGroupLog } from './group-log.ts'
import { Wire } from './wire.ts'

const topic = 'jobs'
const group = 'job-workers'

export class ConsumerGroup implements Actor {
  readonly name = 'consumer-group'
  readonly #stage: Stage
  readonly #wire: Wire
  readonly #partitions: number
  readonly #members: readonly GroupMember[]
  readonly #commits: Commits = { acknowledged: new Map(), made: 0 }
  #topicId = ''

  constructor(stage: Stage) {
    const { random, cluster } = stage
    this.#stage = stage
    this.#wire = new Wire(cluster)
    this.#partitions = random.between(2, 6)
    const pauseMsMax = random.pick([300, 1_000])
    this.#members = Array.from({ length: random.between(2, 4) }, (_, index) => {
      const name = `member-${index}`
      return new GroupMember({ stage, wire: this.#wire, name, group, topic, pauseMsMax, commits: this.#commits })
    })
  }

  get deeds(): number {
    return this.#commits.made
  }

  async prepare(): Promise<void> {
    await this.#wire.createTopic({ name: topic, partitions: this.#partitions })
    this.#topicId = await this.#wire.topicId(topic)
    for (const member of this.#members) member.topicId = this.#topicId
  }

  async run(): Promise<void> {
    await Promise.all(this.#members.map(member => member.run()))
  }

  stop(): void {
    for (const member of this.#members) member.stop()
  }

  async conclude(deadlineMs: number): Promise<void> {
    const { world } = this.#stage
    for (const member of this.#members) member.settleDown()
    const going = Promise.all(this.#members.map(member => member.run()))
    await until(world, deadlineMs, async () => {
      const owned = this.#members.flatMap(({ owned: partitions }) => [...partitions]).sort((a, b) => a - b)
      const all = Array.from({ length: this.#partitions }, (_, partition) => partition)
      if (owned.join() === all.join()) return undefined
      const each = this.#members.map(
        ({ name, state, owned: own }) => `${name} (${state}) owns ${[...own].join() || 'nothing'}`,
      )
      return `${group}: not every partition of ${all.length} is owned once: ${each.join('; ')}`
    })
    this.stop()
    await going
    for (const [partition, { offset }] of this.#commits.acknowledged) {
      const committed = await this.#wire.committedOffset(group, topic, partition)
      if (committed < offset) {
        throw new Error(`${group}: ${topic}-${partition} stands at ${committed}, and ${offset} was acknowledged`)
      }
    }
    await judgeGroupLog(this.#wire, group)
    this.#wire.close()
  }
}
