/**
 * Sends the markers of ended transactions to the leaders of their partitions (WriteTxnMarkers). One request per broker at a time, which takes
 * everything that waits for this broker, so that many small transactions cost few requests. Decides nothing: every partition gets an answer,
 * and the machine asks again for those that were not written.
 */
import type { MetadataImage } from '../../controller/image.ts'
import type { Address, Environment, Timer } from '../../environment/environment.ts'
import type { RequestClient } from '../../net/client.ts'
import { errorName } from '../../protocol/errors.ts'
import type { WriteTxnMarkersResponse } from '../../protocol/messages/27-write-txn-markers.ts'
import type { MarkerAnswer, MarkerOutcome, MarkerRequest } from './markers.ts'
import { eachPartition, partitionSet } from './partition-set.ts'

export interface MarkerSenderOptions {
  readonly environment: Environment
  readonly client: RequestClient
  readonly interBrokerListener: string
  readonly requestTimeoutMs: number
  readonly metadata: () => MetadataImage
}

type Answered = (request: MarkerRequest, answers: readonly MarkerAnswer[]) => void

interface Partition {
  readonly topic: string
  readonly partition: number
}

/** One request of the machine, of which the partitions are answered one by one, by several brokers. */
class Open {
  readonly request: MarkerRequest
  readonly #answers: MarkerAnswer[] = []
  readonly #answered: Answered
  #left: number

  constructor(request: MarkerRequest, answered: Answered) {
    this.request = request
    this.#answered = answered
    this.#left = [...eachPartition(request.partitions)].length
  }

  answer({ topic, partition }: Partition, outcome: MarkerOutcome): void {
    this.#answers.push({ topic, partition, outcome })
    this.#left -= 1
    if (this.#left === 0) this.#answered(this.request, this.#answers)
  }
}

/** What one broker is to write for one request. */
interface Share {
  readonly open: Open
  readonly partitions: readonly Partition[]
}

interface Destination {
  isBusy: boolean
  address: Address
  waiting: Share[]
}

const writeTxnMarkersKey = 27

export class MarkerSender {
  readonly #options: MarkerSenderOptions
  readonly #destinations = new Map<number, Destination>()
  readonly #timers = new Set<Timer>()
  #arrived: Open[] = []
  #isStopped = false

  constructor(options: MarkerSenderOptions) {
    this.#options = options
  }

  /** `answered` runs once, in a later turn, with the fate of every partition. */
  send(request: MarkerRequest, answered: Answered): void {
    const open = new Open(request, answered)
    const { timers } = this.#options.environment
    if (request.delayMs === 0) return this.#arrive(open)
    const timer = timers.after(request.delayMs, () => {
      this.#timers.delete(timer)
      this.#arrive(open)
    })
    this.#timers.add(timer)
  }

  stop(): void {
    this.#isStopped = true
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    this.#destinations.clear()
    this.#options.client.close()
  }

  /** What arrives in one turn of the event loop goes out together. */
  #arrive(open: Open): void {
    this.#arrived.push(open)
    if (this.#arrived.length === 1) this.#options.environment.timers.soon(() => this.#distribute())
  }

  #distribute(): void {
    const arrived = this.#arrived
    this.#arrived = []
    if (this.#isStopped) return
    for (const open of arrived) {
      const shares = new Map<number, Partition[]>()
      for (const partition of eachPartition(open.request.partitions)) {
        const leader = this.#leaderOf(partition)
        if (typeof leader === 'string') open.answer(partition, leader)
        else if (shares.has(leader)) shares.get(leader)?.push(partition)
        else shares.set(leader, [partition])
      }
      for (const [broker, partitions] of shares) this.#destination(broker)?.waiting.push({ open, partitions })
    }
    for (const [broker, destination] of this.#destinations)
      if (!destination.isBusy) void this.#drain(broker, destination)
  }

  #leaderOf({ topic, partition }: Partition): number | MarkerOutcome {
    const image = this.#options.metadata()
    const leader = image.partition(topic, partition)?.leader
    if (leader === undefined) return 'GONE'
    return this.#addressOf(leader) === undefined ? 'LEADER_NOT_AVAILABLE' : leader
  }

  #addressOf(id: number): Address | undefined {
    const broker = this.#options.metadata().brokers.get(id)
    if (broker === undefined || broker.fenced) return undefined
    const endpoint = broker.endpoints.find(({ name }) => name === this.#options.interBrokerListener)
    return endpoint === undefined ? undefined : { host: endpoint.host, port: endpoint.port }
  }

  #destination(id: number): Destination | undefined {
    const address = this.#addressOf(id)
    if (address === undefined) return undefined
    let destination = this.#destinations.get(id)
    if (destination === undefined) {
      destination = { isBusy: false, address, waiting: [] }
      this.#destinations.set(id, destination)
    }
    destination.address = address
    return destination
  }

  async #drain(broker: number, destination: Destination): Promise<void> {
    destination.isBusy = true
    while (destination.waiting.length > 0 && !this.#isStopped) {
      const shares = destination.waiting
      destination.waiting = []
      await this.#write(broker, destination.address, shares)
    }
    destination.isBusy = false
  }

  async #write(broker: number, address: Address, shares: readonly Share[]): Promise<void> {
    const { client, requestTimeoutMs, environment } = this.#options
    const body = { markers: shares.map(markerOf) }
    let response: WriteTxnMarkersResponse
    try {
      const sent = client.send<WriteTxnMarkersResponse>(address, writeTxnMarkersKey, body, {
        timeoutMs: requestTimeoutMs,
      })
      response = (await sent).response
    } catch (error) {
      environment.log.warn('markers of transactions got no answer', { broker, reason: (error as Error).message })
      for (const { open, partitions } of shares)
        for (const partition of partitions) open.answer(partition, 'NETWORK_EXCEPTION')
      return
    }
    for (const share of shares) answerFrom(response, share)
  }
}

function markerOf({ open: { request }, partitions }: Share) {
  return {
    producerId: request.producerId,
    producerEpoch: request.producerEpoch,
    transactionResult: request.committed,
    coordinatorEpoch: request.coordinatorEpoch,
    transactionVersion: request.transactionVersion,
    topics: [...partitionSet(partitions)].map(([name, indexes]) => ({ name, partitionIndexes: [...indexes] })),
  }
}

/** A partition that the answer leaves out is asked for again. */
function answerFrom(response: WriteTxnMarkersResponse, { open, partitions }: Share): void {
  const marker = response.markers.find(({ producerId }) => producerId === open.request.producerId)
  for (const each of partitions) {
    const code = marker?.topics
      .find(({ name }) => name === each.topic)
      ?.partitions.find(({ partitionIndex }) => partitionIndex === each.partition)?.errorCode
    open.answer(each, code === undefined ? 'UNKNOWN_SERVER_ERROR' : errorName(code))
  }
}
