/**
 * Tells the controller in which log directory each replica of this broker is, where the metadata says otherwise: on brokers with several
 * directories, and after a disk was replaced. Until then a replica cannot lead (KIP-858).
 * Source: KIP-858; Kafka's AssignmentsManager.
 */
import type { Environment, Timer } from '../environment/environment.ts'
import { NetworkError } from '../environment/environment.ts'
import type { TopicPartition } from '../log/log.ts'
import { errorCode, errorName } from '../protocol/errors.ts'
import type { AssignReplicasToDirsResponse } from '../protocol/messages/73-assign-replicas-to-dirs.ts'
import type { ControllerChannel } from './controller-channel.ts'
import type { MetadataDelta, MetadataImage, TopicImage, Uuid } from './image.ts'

const assignReplicasToDirsKey = 73
const notController = errorCode('NOT_CONTROLLER')
/** As many partitions per request as Kafka sends. */
const mostPartitionsPerRequest = 2_000
/** Changes that come together go together. */
const batchingDelayMs = 50
const retryDelayMs = 1_000

export interface DirectoryAssignmentsOptions {
  readonly environment: Environment
  readonly channel: Pick<ControllerChannel, 'send'>
  readonly nodeId: number
  /** -1 while not registered. */
  readonly brokerEpoch: () => number
  /** Id of the log directory that holds the replica; undefined when there is none here (yet). */
  readonly directoryOf: (partition: TopicPartition) => Uuid | undefined
}

interface Assignment {
  readonly topicId: Uuid
  readonly partitionIndex: number
  readonly directory: Uuid
  /** The controller answered for it: whether it took it. */
  readonly done?: (taken: boolean) => void
}

export class DirectoryAssignments {
  readonly #options: DirectoryAssignmentsOptions
  readonly #pending = new Map<string, Assignment>()
  /** Told already, by partition: the directory. The controller may keep its own view (see lastCopyIsLost). */
  readonly #told = new Map<string, Uuid>()
  #image: MetadataImage | undefined
  #timer: Timer | undefined
  #sending = false
  #stopped = false

  constructor(options: DirectoryAssignmentsOptions) {
    this.#options = options
  }

  /** Call after the local replicas were brought in line with the image. */
  metadataApplied(image: MetadataImage, delta: MetadataDelta): void {
    this.#image = image
    for (const id of delta.deletedTopics.keys()) this.#forget(id)
    // A new registration may have other directories: everything is looked at again.
    if (delta.changedBrokers.has(this.#options.nodeId)) {
      for (const topic of image.topicsById.values()) this.#look(topic, topic.partitions.keys())
    } else {
      for (const { topic, partitions } of delta.changedTopics.values()) this.#look(topic, partitions.keys())
    }
    this.#schedule(batchingDelayMs)
  }

  /**
   * A replica is about to be in another directory; `directoryOf` says so already. `done` is told once, with whether the controller took it;
   * never when the replica leaves this broker, or goes elsewhere, before there is an answer.
   */
  assign(
    replica: { readonly topicId: Uuid; readonly partition: number },
    directory: Uuid,
    done: (taken: boolean) => void,
  ): void {
    const { topicId, partition } = replica
    this.#pending.set(keyOf(topicId, partition), { topicId, partitionIndex: partition, directory, done })
    this.#schedule(0)
  }

  /** `directoryOf` may answer differently for this replica than before. */
  reconsider({ topicId, partition }: { readonly topicId: Uuid; readonly partition: number }): void {
    const topic = this.#image?.topicsById.get(topicId)
    if (topic === undefined) return
    this.#look(topic, [partition])
    this.#schedule(0)
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #look(topic: TopicImage, indexes: Iterable<number>): void {
    const { nodeId, directoryOf } = this.#options
    for (const partitionIndex of indexes) {
      const partition = topic.partitions.get(partitionIndex)
      const place = partition?.replicas.indexOf(nodeId) ?? -1
      const key = keyOf(topic.id, partitionIndex)
      if (partition === undefined || place < 0) {
        // Should it come back, the controller has to be told again.
        this.#pending.delete(key)
        this.#told.delete(key)
        continue
      }
      const directory = directoryOf({ topic: topic.name, partition: partitionIndex })
      const pending = this.#pending.get(key)
      // Somebody waits for the answer to this very assignment.
      if (pending?.done !== undefined && pending.directory === directory) continue
      if (directory === undefined || directory === partition.directories[place]) {
        this.#pending.delete(key)
        this.#told.delete(key)
      } else if (this.#told.get(key) === directory) this.#pending.delete(key)
      else this.#pending.set(key, { topicId: topic.id, partitionIndex, directory })
    }
  }

  #forget(topicId: Uuid): void {
    for (const map of [this.#pending, this.#told]) {
      for (const key of map.keys()) if (key.startsWith(`${topicId}/`)) map.delete(key)
    }
  }

  #schedule(delayMs: number): void {
    if (this.#pending.size === 0 || this.#sending || this.#stopped || this.#timer !== undefined) return
    this.#timer = this.#options.environment.timers.after(delayMs, () => {
      this.#timer = undefined
      this.#sending = true
      void this.#send().then(nextDelayMs => {
        this.#sending = false
        this.#schedule(nextDelayMs)
      })
    })
  }

  /** Replicas that the controller does not have here (any more). */
  #refused({ directories }: AssignReplicasToDirsResponse): Set<string> {
    const refused = new Set<string>()
    for (const { topicId, partitions } of directories.flatMap(({ topics }) => topics)) {
      for (const { partitionIndex, errorCode: code } of partitions) {
        if (code === 0) continue
        refused.add(keyOf(topicId, partitionIndex))
        const fields = { topicId, partition: partitionIndex, reason: errorName(code) }
        this.#options.environment.log.warn('The directory of a replica was refused.', fields)
      }
    }
    return refused
  }

  /** Returns after how long to send what is left. */
  async #send(): Promise<number> {
    const { environment, channel, nodeId, brokerEpoch } = this.#options
    if (brokerEpoch() < 0) return retryDelayMs
    const batch = [...this.#pending].slice(0, mostPartitionsPerRequest)
    const body = () => ({
      brokerId: nodeId,
      brokerEpoch: brokerEpoch(),
      directories: grouped(batch.map(([, one]) => one)),
    })
    let response: AssignReplicasToDirsResponse
    try {
      response = await channel.send<AssignReplicasToDirsResponse>(
        assignReplicasToDirsKey,
        body,
        ({ errorCode: code }) => code === notController,
      )
      if (response.errorCode !== 0) {
        environment.log.warn('The directories of replicas were not taken; trying again.', {
          reason: errorName(response.errorCode),
        })
        return retryDelayMs
      }
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      return retryDelayMs
    }
    const refused = this.#refused(response)
    for (const [key, assignment] of batch) {
      this.#told.set(key, assignment.directory)
      // Else it was replaced meanwhile, or the replica is gone.
      if (this.#pending.get(key) !== assignment) continue
      this.#pending.delete(key)
      assignment.done?.(!refused.has(key))
    }
    return 0
  }
}

function keyOf(topicId: Uuid, partitionIndex: number): string {
  return `${topicId}/${partitionIndex}`
}

/** By directory, then by topic, as the request has it. */
function grouped(assignments: readonly Assignment[]) {
  const directories = new Map<Uuid, Map<Uuid, { partitionIndex: number }[]>>()
  for (const { directory, topicId, partitionIndex } of assignments) {
    let topics = directories.get(directory)
    if (topics === undefined) directories.set(directory, (topics = new Map()))
    const partitions = topics.get(topicId) ?? []
    partitions.push({ partitionIndex })
    topics.set(topicId, partitions)
  }
  return [...directories].map(([id, topics]) => ({
    id,
    topics: [...topics].map(([topicId, partitions]) => ({ topicId, partitions })),
  }))
}
