/**
 * Chooses brokers for new partitions: leaders and replicas spread evenly over racks and, within a rack, over brokers; fenced brokers only
 * as a last resort and never as the first replica. Consecutive partitions begin one rack and one broker further on ("stripes"), from a
 * random start; after as many as there are brokers the order is shuffled, so that brokers share partitions with ever other brokers.
 * Sources: KIP-36 (rack awareness), KIP-841; the goals are those of Kafka's StripedReplicaPlacer.
 */
import type { Random } from '../environment/environment.ts'

export interface UsableBroker {
  readonly id: number
  readonly rack: string | null
  readonly fenced: boolean
}

/** Replica lists, one per partition, or why it cannot be done. */
export function placeReplicas(
  random: Random,
  brokers: readonly UsableBroker[],
  wanted: { readonly partitions: number; readonly replicationFactor: number },
): number[][] | { readonly impossible: string } {
  const { partitions, replicationFactor } = wanted
  const unfenced = brokers.filter(broker => !broker.fenced)
  if (replicationFactor <= 0) {
    return { impossible: `Invalid replication factor ${replicationFactor}: the replication factor must be positive.` }
  }
  if (unfenced.length === 0)
    return { impossible: 'All brokers are currently fenced, or have all their log directories cordoned.' }
  if (replicationFactor > brokers.length) {
    return {
      impossible:
        `The target replication factor of ${replicationFactor} cannot be reached because only ` +
        `${brokers.length} broker(s) are registered or some brokers have all their log directories cordoned.`,
    }
  }
  const racks = new Racks(random, brokers)
  return Array.from({ length: partitions }, () => racks.place(replicationFactor))
}

/** The brokers of a rack in a ring; each partition ("round") takes them once around, beginning one further than the one before. */
class Ring {
  readonly #ids: number[]
  #offset: number
  #round = 0
  #taken = 0

  constructor(random: Random, ids: readonly number[]) {
    this.#ids = [...ids].sort((first, second) => first - second)
    this.#offset = ids.length === 0 ? 0 : random.below(ids.length)
  }

  /** The next broker in this round; undefined when all were taken. */
  next(round: number): number | undefined {
    if (this.#ids.length === 0) return undefined
    if (this.#round !== round) {
      this.#round = round
      this.#taken = 0
      this.#offset = (this.#offset + 1) % this.#ids.length
    }
    if (this.#taken >= this.#ids.length) return undefined
    return this.#ids[(this.#taken++ + this.#offset) % this.#ids.length]
  }

  shuffle(random: Random): void {
    shuffle(random, this.#ids)
  }
}

interface Rack {
  readonly unfenced: Ring
  readonly fenced: Ring
}

class Racks {
  readonly #random: Random
  readonly #racks: Rack[]
  readonly #unfencedCount: number
  #round = 0
  #offset: number

  constructor(random: Random, brokers: readonly UsableBroker[]) {
    this.#random = random
    const names = [...new Set(brokers.map(broker => broker.rack))]
    names.sort((first, second) => compareRacks(first, second))
    this.#racks = names.map(name => {
      const inRack = brokers.filter(broker => broker.rack === name)
      const ids = (fenced: boolean) => inRack.filter(broker => broker.fenced === fenced).map(broker => broker.id)
      return { fenced: new Ring(random, ids(true)), unfenced: new Ring(random, ids(false)) }
    })
    this.#unfencedCount = brokers.filter(broker => !broker.fenced).length
    this.#offset = random.below(this.#racks.length)
  }

  place(replicationFactor: number): number[] {
    // With one broker a new order would be the same one.
    if (this.#round === this.#unfencedCount && this.#unfencedCount > 1) {
      shuffle(this.#random, this.#racks)
      for (const rack of this.#racks) {
        rack.unfenced.shuffle(this.#random)
        rack.fenced.shuffle(this.#random)
      }
      this.#round = 0
    }
    const start = this.#offset % this.#racks.length
    const replicas: number[] = []
    let leaderRack = start
    for (;;) {
      const leader = this.#rack(leaderRack).unfenced.next(this.#round)
      if (leader !== undefined) {
        replicas.push(leader)
        break
      }
      leaderRack = (leaderRack + 1) % this.#racks.length
    }
    // The leader's rack has its share already when its first turn comes.
    let skip: number | undefined = leaderRack
    for (let index = start; replicas.length < replicationFactor; index = (index + 1) % this.#racks.length) {
      if (index === skip) {
        skip = undefined
        continue
      }
      const rack = this.#rack(index)
      const replica = rack.unfenced.next(this.#round) ?? rack.fenced.next(this.#round)
      if (replica !== undefined) replicas.push(replica)
    }
    this.#round++
    this.#offset = start + 1
    return replicas
  }

  #rack(index: number): Rack {
    const rack = this.#racks[index]
    if (rack === undefined) throw new Error(`no rack ${index} of ${this.#racks.length}`)
    return rack
  }
}

function compareRacks(first: string | null, second: string | null): number {
  if (first === second) return 0
  if (first === null) return -1
  if (second === null) return 1
  return first < second ? -1 : 1
}

/** Fisher and Yates. */
function shuffle(random: Random, items: unknown[]): void {
  for (let last = items.length - 1; last > 0; last--) {
    const other = random.below(last + 1)
    const held = items[last]
    items[last] = items[other]
    items[other] = held
  }
}
