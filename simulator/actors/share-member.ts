/** One member of a share group: beats, fetches from one partition after the other, and accepts, releases or rejects what it gets. */
import type { Address } from '#broker/environment/environment.ts'
import type { Node } from '#broker/node.ts'
import { errorName, type ErrorName } from '#broker/protocol/errors.ts'
import type { ShareGroupHeartbeatResponse } from '#broker/protocol/messages/76-share-group-heartbeat.ts'
import type { ShareFetchResponse } from '#broker/protocol/messages/78-share-fetch.ts'
import type { ShareAcknowledgeResponse } from '#broker/protocol/messages/79-share-acknowledge.ts'
import type { Stage } from './actor.ts'
import type { ShareAccount } from './share-account.ts'
import { keyTypes, Wire } from './wire.ts'

export interface ShareMemberOptions {
  readonly stage: Stage
  readonly name: string
  readonly group: string
  readonly topic: string
  readonly pauseMsMax: number
  readonly account: ShareAccount
}

const accept = 1
const release = 2
const reject = 3
const maxRecords = 10
const fetchWaitMs = 300

/** A session with the leader of one partition. Its next request has this epoch. */
interface Session {
  readonly to: Address
  readonly partition: number
  epoch: number
}

interface Batch {
  readonly firstOffset: number
  readonly lastOffset: number
  readonly acknowledgeTypes: number[]
}

export class ShareMember {
  topicId = ''
  isPatient = false
  readonly #options: ShareMemberOptions
  /** A session belongs to a connection, so each member has its own. */
  readonly #wire: Wire
  #running = true
  #epoch = 0
  #lives = 0
  #assigned: readonly number[] = []
  #session: Session | undefined
  /** Decided, and sent with the next fetch. */
  #undelivered: Batch[] = []

  constructor(options: ShareMemberOptions) {
    this.#options = options
    this.#wire = new Wire(options.stage.cluster)
  }

  get #memberId(): string {
    return `${this.#options.name}-${this.#lives}`
  }

  stop(): void {
    this.#running = false
  }

  goOn(): void {
    this.#running = true
  }

  close(): void {
    this.#wire.close()
  }

  async run(): Promise<void> {
    const { world, random } = this.#options.stage
    while (this.#running) {
      await this.#beat(this.#epoch)
      if (this.#assigned.length > 0) await this.#work()
      if (!this.isPatient && random.chance(1, 40)) await this.#leave()
      await world.sleep(random.between(50, this.#options.pauseMsMax))
    }
  }

  async #leave(): Promise<void> {
    if (this.#options.stage.random.chance(1, 2)) await this.#beat(-1)
    this.#lives++
    this.#epoch = 0
    this.#assigned = []
    this.#forget()
  }

  async #beat(memberEpoch: number): Promise<void> {
    const { group, topic } = this.#options
    const subscribedTopicNames = memberEpoch === 0 ? [topic] : null
    const body = { groupId: group, memberId: this.#memberId, memberEpoch, subscribedTopicNames }
    let answer: ShareGroupHeartbeatResponse
    try {
      const to = await this.#wire.coordinator(group, keyTypes.group)
      answer = await this.#wire.send<ShareGroupHeartbeatResponse>(to, 76, body, 1)
    } catch {
      // No coordinator, or no answer of it: the next heartbeat says the same.
      return
    }
    const error = errorName(answer.errorCode)
    if (error === 'FENCED_MEMBER_EPOCH' || error === 'UNKNOWN_MEMBER_ID') this.#epoch = 0
    if (error !== 'NONE') return
    this.#epoch = answer.memberEpoch
    if (answer.assignment !== null) this.#assigned = answer.assignment.topicPartitions.flatMap(each => each.partitions)
  }

  async #work(): Promise<void> {
    const { random } = this.#options.stage
    try {
      if (this.#session === undefined || random.chance(1, 8)) await this.#open(random.pick(this.#assigned))
      const acquired = await this.#fetch()
      if (acquired.length > 0) await this.#decide(acquired)
    } catch (error) {
      // With the connection the session is gone, and what was acquired in it is released.
      this.#options.stage.world.trace.add('actor', 'debug', 'a share session was given up', { error: String(error) })
      this.#forget()
    }
  }

  #forget(): void {
    this.#session = undefined
    this.#undelivered = []
  }

  async #open(partition: number): Promise<void> {
    const session = this.#session
    if (session !== undefined) {
      this.#forget()
      const body = { ...this.#member(-1), topics: [] }
      await this.#wire.send<ShareAcknowledgeResponse>(session.to, 79, body, 2)
    }
    const to = await this.#wire.leader(this.#options.topic, partition)
    this.#session = { to, partition, epoch: 0 }
  }

  #member(shareSessionEpoch: number) {
    return { groupId: this.#options.group, memberId: this.#memberId, shareSessionEpoch, isRenewAck: false }
  }

  /** @returns the ranges that are the member's to decide about */
  async #fetch(): Promise<readonly { readonly firstOffset: number; readonly lastOffset: number }[]> {
    const { stage, account, name } = this.#options
    const session = this.#session!
    const { partition } = session
    const batches = this.#undelivered.splice(0)
    const isNamed = session.epoch === 0 || batches.length > 0
    const partitions = [{ partitionIndex: partition, acknowledgementBatches: batches }]
    const limits = { maxWaitMs: fetchWaitMs, minBytes: 1, maxBytes: 1 << 20, maxRecords, batchSize: maxRecords }
    const topics = isNamed ? [{ topicId: this.topicId, partitions }] : []
    const body = { ...this.#member(session.epoch), ...limits, topics, forgottenTopicsData: [] }
    const sentMs = stage.world.nowMs
    const before = this.#leadership(session)
    let answer: ShareFetchResponse
    try {
      answer = await this.#wire.send<ShareFetchResponse>(session.to, 78, body, 2)
    } catch (error) {
      account.fetchLost(partition)
      throw error
    }
    orThrow(errorName(answer.errorCode))
    session.epoch++
    const found = answer.responses[0]?.partitions[0]
    if (found === undefined) return []
    orThrow(errorName(found.errorCode))
    if (batches.length > 0 && found.acknowledgeErrorCode === 0) this.#confirmed(partition, batches)
    const isLeaders = before !== undefined && before === this.#leadership(session)
    for (const { firstOffset, lastOffset, deliveryCount } of found.acquiredRecords)
      for (let offset = firstOffset; offset <= lastOffset; offset++)
        account.delivered({ sentMs, member: name, partition, isLeaders }, offset, deliveryCount)
    return found.acquiredRecords
  }

  async #decide(acquired: readonly { readonly firstOffset: number; readonly lastOffset: number }[]): Promise<void> {
    const { random } = this.#options.stage
    // Now and then the member does nothing, and its locks run out.
    if (!this.isPatient && random.chance(1, 12)) return
    const batches = acquired.map(({ firstOffset, lastOffset }) => ({
      firstOffset,
      lastOffset,
      acknowledgeTypes: Array.from({ length: lastOffset - firstOffset + 1 }, () => this.#choice()),
    }))
    if (random.chance(1, 4)) {
      this.#undelivered = batches
      return
    }
    const session = this.#session!
    const { partition } = session
    const partitions = [{ partitionIndex: partition, acknowledgementBatches: batches }]
    const body = { ...this.#member(session.epoch), topics: [{ topicId: this.topicId, partitions }] }
    const answer = await this.#wire.send<ShareAcknowledgeResponse>(session.to, 79, body, 2)
    orThrow(errorName(answer.errorCode))
    session.epoch++
    const error = errorName(answer.responses[0]!.partitions[0]!.errorCode)
    orThrow(error)
    this.#confirmed(partition, batches)
  }

  #choice(): number {
    return this.isPatient ? accept : this.#options.stage.random.pick([accept, accept, accept, accept, release, reject])
  }

  #confirmed(partition: number, batches: readonly Batch[]): void {
    const { account, name, stage } = this.#options
    for (const { firstOffset, acknowledgeTypes } of batches)
      for (const [index, type] of acknowledgeTypes.entries())
        if (type !== release) account.confirmed({ partition, offset: firstOffset + index }, name, stage.world.nowMs)
  }

  /** The leader and its epoch as the newest metadata has them, if it is the one we talk to and knows it itself. */
  #leadership({ to, partition }: Session): number | undefined {
    const { cluster } = this.#options.stage
    const images = cluster.members.flatMap(({ id, machine, broker }) => {
      const image = (broker as Node | undefined)?.publisher?.image
      return image === undefined ? [] : [{ id, host: machine.name, image }]
    })
    const newest = images.reduce((best, each) => (each.image.offset > best ? each.image.offset : best), -1)
    const known = images.find(({ image }) => image.offset === newest)?.image.partition(this.#options.topic, partition)
    const own = images.find(({ host }) => host === to.host)
    const seen = own?.image.partition(this.#options.topic, partition)
    if (known === undefined || own?.id !== known.leader || seen?.leaderEpoch !== known.leaderEpoch) return undefined
    return known.leaderEpoch
  }
}

function orThrow(error: ErrorName | 'NONE'): void {
  if (error !== 'NONE') throw new Error(error)
}
