/**
 * A share group (KIP-932): records are written, its members acquire them, accept, release and reject them, hold on to them until the lock
 * runs out, leave and come again.
 *
 * Promised: every acknowledged record is delivered, no more often than the limit, and never again once the broker has confirmed that it is
 * accepted or rejected; in the end nothing is left to deliver.
 */
import type { DescribeShareGroupOffsetsResponse } from '#broker/protocol/messages/90-describe-share-group-offsets.ts'
import type { IncrementalAlterConfigsResponse } from '#broker/protocol/messages/44-incremental-alter-configs.ts'
import { errorName } from '#broker/protocol/errors.ts'
import { until, type Actor, type Stage } from './actor.ts'
import { ShareAccount } from './share-account.ts'
import { ShareMember } from './share-member.ts'
import { keyTypes, Wire } from './wire.ts'

const topic = 'tasks'
const group = 'task-workers'
const deliveryCountLimit = 5
const groupResource = 32

export class ShareGroup implements Actor {
  readonly name = 'share-group'
  readonly #stage: Stage
  readonly #wire: Wire
  readonly #partitions: number
  readonly #pauseMsMax: number
  readonly #account = new ShareAccount(deliveryCountLimit)
  readonly #members: readonly ShareMember[]
  #running = true
  #values = 0

  constructor(stage: Stage) {
    const { random, cluster } = stage
    this.#stage = stage
    this.#wire = new Wire(cluster)
    this.#partitions = random.between(1, 3)
    this.#pauseMsMax = random.pick([200, 1_000])
    this.#members = Array.from({ length: random.between(2, 3) }, (_, index) => {
      const pauseMsMax = random.pick([250, 800])
      return new ShareMember({ stage, name: `sharer-${index}`, group, topic, pauseMsMax, account: this.#account })
    })
  }

  get deeds(): number {
    return this.#account.finished
  }

  async prepare(): Promise<void> {
    await this.#wire.createTopic({ name: topic, partitions: this.#partitions })
    const topicId = await this.#wire.topicId(topic)
    for (const member of this.#members) member.topicId = topicId
    await this.#wire.patiently('settings of the group', async () => {
      const change = { name: 'share.auto.offset.reset', configOperation: 0, value: 'earliest' }
      const resources = [{ resourceType: groupResource, resourceName: group, configs: [change] }]
      const body = { resources, validateOnly: false }
      const { responses } = await this.#wire.send<IncrementalAlterConfigsResponse>(this.#wire.any(), 44, body, 1)
      return { error: errorName(responses[0]!.errorCode), answer: undefined }
    })
  }

  async run(): Promise<void> {
    await Promise.all([this.#write(), ...this.#members.map(member => member.run())])
  }

  stop(): void {
    this.#running = false
    for (const member of this.#members) member.stop()
  }

  async conclude(deadlineMs: number): Promise<void> {
    for (const member of this.#members) {
      member.isPatient = true
      member.goOn()
    }
    const going = Promise.all(this.#members.map(member => member.run()))
    await until(this.#stage.world, deadlineMs, () => this.#whatIsLeft())
    for (const member of this.#members) member.stop()
    await going
    const undelivered = this.#account.undelivered()
    if (undelivered.length > 0)
      throw new Error(`${group}: never delivered, and there is nothing left: ${undelivered.join(', ')}`)
    for (const member of this.#members) member.close()
    this.#wire.close()
  }

  async #write(): Promise<void> {
    const { world, random } = this.#stage
    while (this.#running) {
      await world.sleep(random.between(10, this.#pauseMsMax))
      const partition = random.below(this.#partitions)
      const values = Array.from({ length: random.between(1, 4) }, () => String(this.#values++))
      const lostBefore = this.#account.lostOf(partition)
      try {
        const { error, baseOffset } = await this.#wire.produce(topic, partition, values)
        if (error !== 'NONE') continue
        for (const index of values.keys()) this.#account.written({ partition, offset: baseOffset + index }, lostBefore)
      } catch (error) {
        world.trace.add('actor', 'debug', 'no answer to a write', { error: String(error) })
      }
    }
  }

  /** Undefined when the group has come to the end of every partition. */
  async #whatIsLeft(): Promise<string | undefined> {
    try {
      const partitions = Array.from({ length: this.#partitions }, (_, partition) => partition)
      const groups = [{ groupId: group, topics: [{ topicName: topic, partitions }] }]
      const to = await this.#wire.coordinator(group, keyTypes.group)
      const { groups: answers } = await this.#wire.send<DescribeShareGroupOffsetsResponse>(to, 90, { groups }, 1)
      const found = answers[0]?.topics[0]?.partitions ?? []
      for (const partition of partitions) {
        // What is left, not where the group starts: the start moves with the next write (KIP-1226).
        const { lag = -1, startOffset = -1 } = found.find(({ partitionIndex }) => partitionIndex === partition) ?? {}
        if (lag === 0) continue
        const end = await this.#wire.endOffset(topic, partition)
        if (end > 0) return `${group}: ${topic}-${partition} has ${lag} left from ${startOffset} to ${end}`
      }
      return undefined
    } catch (error) {
      return `${group}: ${String(error)}`
    }
  }
}
