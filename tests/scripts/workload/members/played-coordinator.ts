/** A coordinator that answers what the test says, one answer after the other, and the times of its member: no heartbeat goes by itself. */
import type { DecodedFields, EncodableFields, Fields } from '#broker/protocol/schema.ts'
import type { Cluster } from '#scripts/cluster/cluster.ts'
import type { Question } from '#scripts/observe/lines.ts'
import type { GroupCoordinator, Matter } from '#scripts/workload/members/coordinator.ts'
import { memberTimes, type Changes, type MembershipOptions } from '#scripts/workload/members/membership.ts'

export type Answer = object | ((body: never) => object)

export class PlayedCoordinator implements GroupCoordinator {
  readonly group = 'readers'
  /** What it was asked, in order: the name of the request and its body. */
  readonly asked: { readonly api: string; readonly body: object }[] = []
  readonly #answers: Answer[]

  constructor(answers: readonly Answer[]) {
    this.#answers = [...answers]
  }

  /** How many answers nobody has asked for yet. */
  get left(): number {
    return this.#answers.length
  }

  ask<Q extends Fields, A extends Fields>(
    _matter: Matter,
    { request }: Question<Q, A>,
    body: EncodableFields<Q>,
  ): Promise<DecodedFields<A>> {
    const api = request.name.replace(/Request$/, '')
    this.asked.push({ api, body })
    const answer = this.#answers.shift()
    if (answer === undefined) return Promise.reject(new Error(`nobody expected ${api} ${JSON.stringify(body)}`))
    return Promise.resolve((typeof answer === 'function' ? answer(body as never) : answer) as DecodedFields<A>)
  }

  close(): void {
    // There is no connection.
  }
}

/** Heartbeats that are due when the test says so. */
export class Heartbeats {
  readonly #waiting: (() => void)[] = []

  sleep(): Promise<void> {
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  /** One heartbeat, and all that comes of it. */
  async beat(): Promise<void> {
    for (const wake of this.#waiting.splice(0)) wake()
    await settled()
  }
}

/** All that needs no more than answers that are there. */
export function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

export function optionsWith(heartbeats: Heartbeats): MembershipOptions {
  const clock = { nowMs: () => 0, sleep: () => heartbeats.sleep() }
  const cluster = { clock, random: { bytes: (count: number) => Buffer.alloc(count) } } as unknown as Cluster
  return { cluster, group: 'readers', topic: 'orders', partitions: 4, times: memberTimes }
}

/** What the membership did with its partitions, one line each. */
export class Told implements Changes {
  readonly lines: string[] = []

  revoked(partitions: readonly number[]): Promise<void> {
    return this.#tell(`revoked ${partitions.join()}`)
  }

  lost(partitions: readonly number[]): Promise<void> {
    return this.#tell(`lost ${partitions.join()}`)
  }

  assigned(all: readonly number[], added: readonly number[]): Promise<void> {
    return this.#tell(`has ${all.join()}, new ${added.join()}`)
  }

  #tell(line: string): Promise<void> {
    this.lines.push(line)
    return Promise.resolve()
  }
}
