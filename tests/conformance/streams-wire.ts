/**
 * Streams groups heartbeat by heartbeat, as no Kafka Streams lets one see them: requests of the streams group protocol over a socket, and
 * members that say what they are told to say. Codecs are this project's; that their bytes are Kafka's is for codec-golden.test.ts.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Framer } from '#broker/net/framer.ts'
import { codec } from '#broker/protocol/codec.ts'
import { decodeResponseHeader, encodeRequestFrame } from '#broker/protocol/headers.ts'
import { findCoordinatorRequest, findCoordinatorResponse } from '#broker/protocol/messages/10-find-coordinator.ts'
import { apiVersionsRequest, apiVersionsResponse } from '#broker/protocol/messages/18-api-versions.ts'
import {
  streamsGroupHeartbeatRequest,
  streamsGroupHeartbeatResponse,
  type StreamsGroupHeartbeatResponse,
} from '#broker/protocol/messages/88-streams-group-heartbeat.ts'
import {
  streamsGroupDescribeRequest,
  streamsGroupDescribeResponse,
  type StreamsGroupDescribeResponse,
} from '#broker/protocol/messages/89-streams-group-describe.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '#broker/protocol/messages/44-incremental-alter-configs.ts'
import { describeConfigsRequest, describeConfigsResponse } from '#broker/protocol/messages/32-describe-configs.ts'
import { Reader } from '#broker/protocol/reader.ts'
import type { DecodedFields, EncodableFields, Fields, Input, Message } from '#broker/protocol/schema.ts'
import { eventually } from './harness.ts'

const frameBytesMax = 10 << 20
const apiVersionsVersion = 3
const coordinatorVersion = 4
const groupResource = 32
const setOperation = 0
/** COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR */
const loading = new Set([14, 15, 16])

/** One connection; one request at a time. */
class Connection {
  readonly #socket: Socket
  readonly #framer = new Framer(frameBytesMax)
  #answer: ((frame: Buffer) => void) | undefined
  #fail: ((error: Error) => void) | undefined
  #correlationId = 0

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#framer.push(chunk, frame => this.#answer?.(Buffer.from(frame))))
    socket.on('error', error => this.#fail?.(error))
    socket.on('close', () => this.#fail?.(new Error('the broker closed the connection')))
  }

  static async open(address: string): Promise<Connection> {
    const [host = '', port] = address.split(':')
    const socket = connect({ host, port: Number(port) })
    await once(socket, 'connect')
    const connection = new Connection(socket)
    // What this asks for is no evidence that a client of users does.
    const software = { clientSoftwareName: 'faultline', clientSoftwareVersion: '0' }
    await connection.ask([apiVersionsRequest, apiVersionsResponse], apiVersionsVersion, software)
    return connection
  }

  /** Undefined when nobody listens there. */
  static async tryOpen(address: string): Promise<Connection | undefined> {
    try {
      return await Connection.open(address)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return undefined
      throw error
    }
  }

  async ask<Q extends Fields, A extends Fields>(
    [request, response]: readonly [Message<Q>, Message<A>],
    version: number,
    value: EncodableFields<Q>,
  ): Promise<DecodedFields<A>> {
    const header = { version, correlationId: ++this.#correlationId, clientId: 'streams-wire' }
    const frame = await new Promise<Buffer>((resolve, reject) => {
      this.#answer = resolve
      this.#fail = reject
      for (const part of encodeRequestFrame(header, request, value)) this.#socket.write(part)
    })
    const reader = new Reader(frame)
    decodeResponseHeader(reader, { key: request.key, version })
    return codec(response, version).decode(reader)
  }

  close(): void {
    this.#socket.destroy()
  }
}

type HeartbeatInput = Input<typeof streamsGroupHeartbeatRequest>
type Topology = NonNullable<HeartbeatInput['topology']>
type Subtopology = Topology['subtopologies'][number]
export type Described = StreamsGroupDescribeResponse['groups'][number]
type TaskLists = NonNullable<StreamsGroupHeartbeatResponse['activeTasks']>

/** An internal topic as a topology names it. */
export const internalTopic = (name: string, partitions = 0) => ({
  name,
  partitions,
  replicationFactor: 1,
  topicConfigs: [],
})

export const subtopology = (over: Partial<Subtopology> & { readonly subtopologyId: string }): Subtopology => ({
  sourceTopics: [],
  sourceTopicRegex: [],
  stateChangelogTopics: [],
  repartitionSinkTopics: [],
  repartitionSourceTopics: [],
  copartitionGroups: [],
  ...over,
})

/** host:port of the broker that coordinates the group, asked of whichever broker answers. */
export function coordinatorOf(bootstrap: string, groupId: string): Promise<string> {
  const asked = { keyType: 0, coordinatorKeys: [groupId] }
  return eventually(`a coordinator of ${groupId}`, async () => {
    for (const address of bootstrap.split(',')) {
      const connection = await Connection.tryOpen(address)
      if (connection === undefined) continue
      try {
        const messages = [findCoordinatorRequest, findCoordinatorResponse] as const
        const { coordinators } = await connection.ask(messages, coordinatorVersion, asked)
        const [found] = coordinators
        if (found?.errorCode === 0) return `${found.host}:${found.port}`
      } finally {
        connection.close()
      }
    }
    return undefined
  })
}

/** The coordinator of one group, asked by several members in turn. */
export class StreamsWire {
  readonly groupId: string
  readonly #connection: Connection

  private constructor(groupId: string, connection: Connection) {
    this.groupId = groupId
    this.#connection = connection
  }

  static async open(bootstrap: string, groupId: string): Promise<StreamsWire> {
    const wire = new StreamsWire(groupId, await Connection.open(await coordinatorOf(bootstrap, groupId)))
    // A coordinator that was just elected may be named before it is ready.
    await eventually(`the coordinator of ${groupId} is loaded`, async () =>
      loading.has((await wire.describe()).errorCode) ? undefined : true,
    )
    return wire
  }

  heartbeat(request: Omit<HeartbeatInput, 'groupId'>): Promise<StreamsGroupHeartbeatResponse> {
    const messages = [streamsGroupHeartbeatRequest, streamsGroupHeartbeatResponse] as const
    return this.#connection.ask(messages, 0, { ...request, groupId: this.groupId })
  }

  async describe(): Promise<Described> {
    const messages = [streamsGroupDescribeRequest, streamsGroupDescribeResponse] as const
    const asked = { groupIds: [this.groupId], includeAuthorizedOperations: false }
    const answer = await this.#connection.ask(messages, 0, asked)
    const [group] = answer.groups
    if (group === undefined) throw new Error('the answer names no group')
    return group
  }

  /** A setting of the group. */
  async configure(name: string, value: string): Promise<void> {
    const messages = [incrementalAlterConfigsRequest, incrementalAlterConfigsResponse] as const
    const configs = [{ name, configOperation: setOperation, value }]
    const resources = [{ resourceType: groupResource, resourceName: this.groupId, configs }]
    const { responses } = await this.#connection.ask(messages, 1, { resources, validateOnly: false })
    const [answer] = responses
    if (answer?.errorCode !== 0) throw new Error(`${name}: ${answer?.errorMessage ?? 'no answer'}`)
    // The controller has answered; the coordinator goes by it a moment later.
    const asked = [{ resourceType: groupResource, resourceName: this.groupId, configurationKeys: [name] }]
    const describe = [describeConfigsRequest, describeConfigsResponse] as const
    await eventually(`${this.groupId} has ${name}=${value}`, async () => {
      const { results } = await this.#connection.ask(describe, 4, { resources: asked })
      return results[0]?.configs.some(each => each.name === name && each.value === value) === true ? true : undefined
    })
  }

  close(): void {
    this.#connection.close()
  }
}

/** `0_1` is partition 1 of subtopology 0. */
export function taskNames(tasks: TaskLists | null): string {
  return (tasks ?? [])
    .flatMap(({ subtopologyId, partitions }) => partitions.map(partition => `${subtopologyId}_${partition}`))
    .sort()
    .join(' ')
}

/** A thread of an application: `beat` says no more than it is told to; `own` says too what it has. */
export class WireMember {
  readonly #wire: StreamsWire
  readonly #topology: Topology
  readonly memberId: string
  epoch = 0
  endpointEpoch = 0
  #tasks: { activeTasks: TaskLists; standbyTasks: TaskLists; warmupTasks: TaskLists } = {
    activeTasks: [],
    standbyTasks: [],
    warmupTasks: [],
  }

  constructor(wire: StreamsWire, memberId: string, topology: Topology) {
    this.#wire = wire
    this.memberId = memberId
    this.#topology = topology
  }

  async #say(request: Partial<HeartbeatInput>): Promise<StreamsGroupHeartbeatResponse> {
    const answer = await this.#wire.heartbeat({
      memberId: this.memberId,
      memberEpoch: this.epoch,
      endpointInformationEpoch: this.endpointEpoch,
      ...request,
    })
    if (answer.errorCode !== 0) return answer
    this.epoch = answer.memberEpoch
    this.endpointEpoch = answer.endpointInformationEpoch
    const { activeTasks, standbyTasks, warmupTasks } = answer
    if (activeTasks !== null)
      this.#tasks = { activeTasks, standbyTasks: standbyTasks ?? [], warmupTasks: warmupTasks ?? [] }
    return answer
  }

  join(over: Partial<HeartbeatInput> = {}): Promise<StreamsGroupHeartbeatResponse> {
    this.epoch = 0
    this.#tasks = { activeTasks: [], standbyTasks: [], warmupTasks: [] }
    const { memberId } = this
    return this.#say({
      rebalanceTimeoutMs: 60_000,
      topology: this.#topology,
      processId: memberId,
      clientTags: [],
      ...this.#tasks,
      ...over,
    })
  }

  beat(over: Partial<HeartbeatInput> = {}): Promise<StreamsGroupHeartbeatResponse> {
    return this.#say(over)
  }

  own(): Promise<StreamsGroupHeartbeatResponse> {
    return this.#say(this.#tasks)
  }

  leave(): Promise<StreamsGroupHeartbeatResponse> {
    return this.#say({ memberEpoch: -1 })
  }

  get active(): string {
    return taskNames(this.#tasks.activeTasks)
  }

  get standby(): string {
    return taskNames(this.#tasks.standbyTasks)
  }
}
