/**
 * A member of a streams group that outlives the brokers: after a change its next heartbeat must be taken as if nothing had happened, with the
 * epoch and the tasks that it had.
 */
import { StreamsWire, subtopology, WireMember } from '../streams-wire.ts'

const groupId = 'streams'
const memberId = 'RWluTWl0Z2xpZWRBbGxlaW4'
const topology = { epoch: 1, subtopologies: [subtopology({ subtopologyId: '0', sourceTopics: ['codecs'] })] }

export class StreamsMember {
  readonly #bootstrap: string
  #epoch: number | undefined
  #tasks = ''

  constructor(bootstrap: string) {
    this.#bootstrap = bootstrap
  }

  /** Joins at first and takes all six tasks; later says no more than that it is alive. */
  async beat(): Promise<void> {
    const wire = await StreamsWire.open(this.#bootstrap, groupId)
    try {
      const member = new WireMember(wire, memberId, topology)
      if (this.#epoch === undefined) return await this.#join(member, wire)
      member.epoch = this.#epoch
      const answer = await member.beat()
      if (answer.errorCode !== 0 || answer.memberEpoch !== this.#epoch)
        throw new Error(`the heartbeat in epoch ${this.#epoch} was answered ${JSON.stringify(answer)}`)
      const tasks = await assigned(wire)
      if (tasks !== this.#tasks) throw new Error(`the member had ${this.#tasks}, and has ${tasks}`)
    } finally {
      wire.close()
    }
  }

  async #join(member: WireMember, wire: StreamsWire): Promise<void> {
    let answer = await member.join()
    const deadline = Date.now() + 120_000
    while (member.active.split(' ').length < 6 && Date.now() < deadline) answer = await member.beat()
    answer = await member.own()
    if (answer.errorCode !== 0) throw new Error(`the member could not join: ${JSON.stringify(answer)}`)
    this.#epoch = member.epoch
    this.#tasks = await assigned(wire)
  }
}

/** As the coordinator describes it. */
async function assigned(wire: StreamsWire): Promise<string> {
  const { members, groupState } = await wire.describe()
  const tasks = members.flatMap(({ assignment }) =>
    assignment.activeTasks.flatMap(({ subtopologyId, partitions }) =>
      partitions.map(partition => `${subtopologyId}_${partition}`),
    ),
  )
  return `${groupState}: ${tasks.sort().join(' ')}`
}
