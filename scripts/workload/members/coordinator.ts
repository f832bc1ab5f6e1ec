/**
 * A member's connections to the broker that coordinates its group. One for each purpose, as a broker answers the requests of a connection
 * one after the other: a JoinGroup that waits for the other members would hold up the commits behind it.
 */
import { errorName, type ErrorName } from '#broker/protocol/errors.ts'
import { findCoordinatorRequest, findCoordinatorResponse } from '#broker/protocol/messages/10-find-coordinator.ts'
import type { DecodedFields, EncodableFields, Fields } from '#broker/protocol/schema.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { Lines, NoAnswer, type Question } from '../../observe/lines.ts'

const find = { request: findCoordinatorRequest, response: findCoordinatorResponse, oldest: 4 }
const groupKey = 0

/** The coordinator is another broker, or not ready yet: it is looked for and asked again. */
const isMoving: ReadonlySet<ErrorName> = new Set([
  'NOT_COORDINATOR',
  'COORDINATOR_NOT_AVAILABLE',
  'COORDINATOR_LOAD_IN_PROGRESS',
])

/** Longer than any rebalance of a lab: an answer to JoinGroup comes when the slowest member has joined. */
const answerMs = 40_000
const patienceMs = 45_000
const retryMs = 100

/** Membership has its own connection; commits and questions about offsets have theirs. */
export type Matter = 'membership' | 'offsets'
const purposes = { membership: 'groups', offsets: 'state' } as const

/** What a member asks its coordinator by. */
export type GroupCoordinator = Pick<Coordinator, 'group' | 'ask' | 'close'>

export class Coordinator {
  readonly group: string
  readonly #cluster: Cluster
  readonly #lines: Lines
  #broker: number | undefined
  #isClosed = false

  constructor(cluster: Cluster, group: string) {
    this.group = group
    this.#cluster = cluster
    this.#lines = new Lines(cluster, answerMs)
  }

  /**
   * Asks until a coordinator has answered.
   *
   * @param errorOf  where the answer says that this broker is not, or not yet, the coordinator
   * @throws NoAnswer when nobody answers, or the broker does not know such a request
   */
  async ask<Q extends Fields, A extends Fields>(
    matter: Matter,
    question: Question<Q, A>,
    body: EncodableFields<Q>,
    errorOf: (answer: DecodedFields<A>) => number,
  ): Promise<DecodedFields<A>> {
    const { clock } = this.#cluster
    const endMs = clock.nowMs() + patienceMs
    for (;;) {
      const broker = this.#broker ?? (await this.#find())
      if (broker !== undefined) {
        const answer = await this.#lines.of(broker, purposes[matter]).ask(question, body)
        if (!isMoving.has(errorName(errorOf(answer)))) return answer
        this.#broker = undefined
      }
      if (this.#isClosed || clock.nowMs() >= endMs)
        throw new NoAnswer(`nobody has coordinated the group ${this.group} for ${patienceMs} ms`)
      await clock.sleep(retryMs)
    }
  }

  /** Asking who coordinates a group also makes the topic of the groups. */
  async #find(): Promise<number | undefined> {
    const any = this.#lines.of(this.#lines.brokers[0] as number, 'state')
    const { coordinators } = await any.ask(find, { keyType: groupKey, coordinatorKeys: [this.group] })
    const found = coordinators[0]
    this.#broker = found?.errorCode === 0 ? found.nodeId : undefined
    return this.#broker
  }

  /** Whoever waits for an answer is told that there will be none. */
  close(): void {
    this.#isClosed = true
    this.#lines.close()
  }
}
