/**
 * Creates topics that somebody asked for and that do not exist: internal ones when a coordinator is looked for, others when a client names
 * them in a Metadata request (auto.create.topics.enable). Asks the controller once per topic at a time; nobody waits for the answer: who
 * asked gets an error that makes it ask again. Several brokers may ask at once: the controller creates one topic and tells the others
 * TOPIC_ALREADY_EXISTS.
 * Source: KIP-590; Kafka's AutoTopicCreationManager.
 */
import type { BrokerConfig } from '../config/broker-config.ts'
import type { Environment } from '../environment/environment.ts'
import { NetworkError } from '../environment/environment.ts'
import { errorName, type ErrorName } from '../protocol/errors.ts'
import type { ControllerChannel } from './controller-channel.ts'
import type { CreatableTopic } from './create-topics.ts'
import { invalidTopicName } from './topic-names.ts'

/** Topics that are being created at a time: who asks for more is told to ask again, and gets them then. */
const inFlightMax = 1_000
/** Topics whose last failure is remembered; the oldest is forgotten first. */
const failuresMax = 1_000

export class AutoTopics {
  readonly #environment: Environment
  readonly #channel: Pick<ControllerChannel, 'createTopics'>
  readonly #config: () => BrokerConfig
  readonly #inFlight = new Set<string>()
  readonly #failures = new Map<string, string>()

  /** `config` as it is now: num.partitions and others may change. */
  constructor(environment: Environment, channel: Pick<ControllerChannel, 'createTopics'>, config: () => BrokerConfig) {
    this.#environment = environment
    this.#channel = channel
    this.#config = config
  }

  /** Begins to create the topics; the error to answer for each until it is there. */
  request(names: Iterable<string>): ReadonlyMap<string, ErrorName> {
    const answers = new Map<string, ErrorName>()
    const wanted: CreatableTopic[] = []
    const config = this.#config()
    for (const name of names) {
      if (answers.has(name)) continue
      const invalid = invalidTopicName(name) !== undefined
      answers.set(name, invalid ? 'INVALID_TOPIC_EXCEPTION' : 'UNKNOWN_TOPIC_OR_PARTITION')
      if (invalid || this.#inFlight.has(name) || this.#inFlight.size >= inFlightMax) continue
      this.#inFlight.add(name)
      wanted.push(creatableTopic(name, config))
    }
    if (wanted.length > 0) void this.#create(wanted)
    return answers
  }

  /** Begins to create topics whose shape the caller knows: internal topics of streams groups. */
  create(topics: readonly CreatableTopic[]): void {
    const wanted = topics.filter(({ name }) => !this.#inFlight.has(name))
    for (const { name } of wanted) this.#inFlight.add(name)
    if (wanted.length > 0) void this.#create(wanted)
  }

  /** Why the topic could not be created when somebody asked last; undefined: it could, nobody asked, or that was long ago. */
  failureOf(name: string): string | undefined {
    return this.#failures.get(name)
  }

  #remember(name: string, reason: string): void {
    const [oldest] = this.#failures.keys()
    if (oldest !== undefined && this.#failures.size >= failuresMax) this.#failures.delete(oldest)
    this.#failures.set(name, reason)
  }

  async #create(topics: readonly CreatableTopic[]): Promise<void> {
    const { clock, log } = this.#environment
    const timeoutMs = this.#config()['request.timeout.ms']
    try {
      const deadlineMs = clock.monotonicMs() + timeoutMs
      const response = await this.#channel.createTopics(topics, { timeoutMs, deadlineMs })
      for (const { name, errorCode, errorMessage } of response.topics) {
        const error = errorName(errorCode)
        this.#failures.delete(name)
        if (error === 'NONE') log.info('Created a topic that was asked for.', { topic: name })
        else if (error !== 'TOPIC_ALREADY_EXISTS') {
          this.#remember(name, `${name}: ${errorMessage ?? error}`)
          log.warn('A topic that was asked for could not be created.', { topic: name, error, errorMessage })
        }
      }
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      log.warn('No controller created the topics that were asked for.', {
        topics: topics.map(({ name }) => name),
        reason: error.message,
      })
    } finally {
      for (const { name } of topics) this.#inFlight.delete(name)
    }
  }
}

/** Partitions, replicas and settings that a topic of this name gets. */
export function creatableTopic(name: string, config: BrokerConfig): CreatableTopic {
  const topic = (numPartitions: number, replicationFactor: number, configs: Record<string, string | number>) => ({
    name,
    numPartitions,
    replicationFactor,
    assignments: [],
    configs: Object.entries(configs).map(([key, value]) => ({ name: key, value: String(value) })),
  })
  const compacted = { 'cleanup.policy': 'compact', 'compression.type': 'producer' }
  switch (name) {
    case '__consumer_offsets':
      return topic(config['offsets.topic.num.partitions'], config['offsets.topic.replication.factor'], {
        ...compacted,
        'segment.bytes': config['offsets.topic.segment.bytes'],
      })
    case '__transaction_state':
      return topic(config['transaction.state.log.num.partitions'], config['transaction.state.log.replication.factor'], {
        ...compacted,
        'compression.type': 'uncompressed',
        'min.insync.replicas': config['transaction.state.log.min.isr'],
        'segment.bytes': config['transaction.state.log.segment.bytes'],
        'unclean.leader.election.enable': 'false',
      })
    case '__share_group_state':
      return topic(
        config['share.coordinator.state.topic.num.partitions'],
        config['share.coordinator.state.topic.replication.factor'],
        {
          'cleanup.policy': 'delete',
          'compression.type': 'producer',
          'segment.bytes': config['share.coordinator.state.topic.segment.bytes'],
          'min.insync.replicas': config['share.coordinator.state.topic.min.isr'],
          'retention.ms': -1,
        },
      )
    default:
      return topic(config['num.partitions'], config['default.replication.factor'], {})
  }
}
