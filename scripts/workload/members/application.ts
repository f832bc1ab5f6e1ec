/** The usual loop around a member: poll, work on each record, commit, and so on until it is stopped. */
import type { LabClock } from '../../cluster/cluster.ts'
import type { HandWorkload } from '../by-hand.ts'
import type { GroupMember, PolledRecord } from './member.ts'

export interface ApplicationOptions {
  readonly clock: LabClock
  /** max.poll.records */
  readonly recordsMax: number
  /** How long it works on a record. */
  readonly workMs: number
}

const idleMs = 50

export class Application {
  readonly member: GroupMember
  /** Commits that the coordinator refused, as the member is none of its members any more, or of an older generation. */
  refused = 0
  readonly #options: ApplicationOptions
  readonly #done: PolledRecord[] = []
  #isStopping = false
  #failure: unknown
  #loop: Promise<void> = Promise.resolve()

  constructor(member: GroupMember, options: ApplicationOptions) {
    this.member = member
    this.#options = options
  }

  /** Records it has worked on, in that order; one that came twice is there twice. */
  get done(): readonly PolledRecord[] {
    // A script that waits for what an application does is told when it has failed.
    if (this.#failure !== undefined) throw this.#failure
    return this.#done
  }

  start(): void {
    this.#loop = this.#run().catch((error: unknown) => {
      // A member that was killed gets no answers any more.
      if (!this.member.hasEnded) this.#failure = error
    })
  }

  /** Ends after the records that it works on, and leaves the group. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#loop
    await this.member.leave()
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Ends in the middle of whatever it does, without a word to the group. */
  kill(): void {
    this.member.crash()
  }

  async #run(): Promise<void> {
    const { clock, recordsMax, workMs } = this.#options
    while (!this.#isStopping && !this.member.hasEnded) {
      const polled = await this.member.poll(recordsMax)
      for (const record of polled) {
        await clock.sleep(workMs)
        if (this.member.hasEnded) return
        this.#done.push(record)
      }
      if (polled.length > 0) await this.#commit()
      else await clock.sleep(idleMs)
    }
  }

  async #commit(): Promise<void> {
    const code = await this.member.commit()
    // While the group rebalances the next commit takes these records, too.
    if (code !== 'NONE' && code !== 'REBALANCE_IN_PROGRESS') this.refused += 1
  }
}

/** Starts the applications, and ends them when the work is done; kills them when it fails. `applications` may be exchanged meanwhile. */
export async function whileRunning(applications: readonly Application[], work: () => Promise<void>): Promise<void> {
  for (const application of applications) application.start()
  try {
    await work()
    for (const application of applications) await application.stop()
  } finally {
    for (const application of applications) application.kill()
  }
}

/** What a script waits for: how many partitions each member has, and in which generation. @throws when an application has failed */
export function assignmentOf(applications: readonly Application[]): {
  readonly owned: readonly number[]
  readonly generations: readonly number[]
} {
  // Asking for what was done tells of a failure.
  const members = applications.map(application => [application.done, application.member] as const)
  return {
    owned: members.map(([, { owned }]) => owned.length),
    generations: members.map(([, { generation }]) => generation),
  }
}

/** Waits until all members have the same generation, and as many of the `partitions` as each other. @throws when an application has failed */
export async function evenlyAssigned(
  workload: HandWorkload,
  applications: readonly Application[],
  partitions: number,
): Promise<void> {
  await workload.until(
    'the partitions are assigned evenly',
    () => Promise.resolve(assignmentOf(applications)),
    ({ owned, generations }) =>
      owned.every(count => count === partitions / applications.length) && new Set(generations).size === 1,
  )
}
