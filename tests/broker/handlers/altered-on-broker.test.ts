import { describe, expect, it } from 'vitest'
import type { BrokerConfig } from '#broker/config/broker-config.ts'
import { securitySetting } from '#broker/config/security.ts'
import { LineLogger } from '#broker/environment/node/logger.ts'
import { describeConfigs } from '#broker/handlers/32-describe-configs.ts'
import { incrementalAlterConfigs } from '#broker/handlers/44-incremental-alter-configs.ts'
import { codec } from '#broker/protocol/codec.ts'
import { decodeRequestHeader, encodeRequestFrame, encodeResponseFrame } from '#broker/protocol/headers.ts'
import { describeConfigsResponse } from '#broker/protocol/messages/32-describe-configs.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
  type IncrementalAlterConfigsRequest,
} from '#broker/protocol/messages/44-incremental-alter-configs.ts'
import { Reader } from '#broker/protocol/reader.ts'
import { TestNode } from './controller-context.ts'

const set = 0
const types = { topic: 2, broker: 4, logger: 8, clientMetrics: 16, group: 32 } as const
const version = 1

type Change = [
  type: keyof typeof types,
  name: string,
  ...configs: [name: string, value: string | null, operation?: number][],
]

/** A broker whose controller answers as it does. */
class BrokerUnderTest {
  readonly node = new TestNode()
  readonly lines: string[] = []
  mayAlter = true
  readonly log = new LineLogger({ level: 'info', format: 'text', write: line => this.lines.push(line) })
  /** Resources that were sent to the controller. */
  readonly forwarded: string[] = []

  context(kind: 'broker' | 'controller') {
    const context = this.node.context(incrementalAlterConfigs, version, { listenerKind: kind })
    const forwarder = { forward: ({ frame }: { frame: Buffer }) => this.#controller(frame) }
    return {
      ...context,
      authorize: () => this.mayAlter,
      environment: { ...context.environment, log: this.log },
      services: { ...context.services, broker: { forwarder }, settingsRefusal: this.#securityRefusal },
    }
  }

  async alter(changes: readonly Change[], validateOnly = false) {
    const resources = changes.map(([type, resourceName, ...configs]) => ({
      resourceType: types[type],
      resourceName,
      configs: configs.map(([name, value, configOperation = set]) => ({ name, value, configOperation })),
    }))
    const header = { version, correlationId: 7, clientId: 'test' }
    const request = { resources, validateOnly }
    const frame = Buffer.concat(encodeRequestFrame(header, incrementalAlterConfigsRequest, request)).subarray(4)
    const reply = await incrementalAlterConfigs.handle(request as never, { ...this.context('broker'), frame } as never)
    return (reply as { responses: { errorCode: number; errorMessage: string | null }[] }).responses.map(
      ({ errorCode, errorMessage }) => ({ errorCode, errorMessage }),
    )
  }

  readonly #securityRefusal = (config: BrokerConfig): string | undefined => {
    const file = securitySetting(config, { listener: 'TLS' }, 'ssl.keystore.location')
    return file === '/nowhere' ? `no keys at ${file}` : undefined
  }

  async loggers() {
    const resources = [{ resourceType: types.logger, resourceName: '1', configurationKeys: null }]
    const request = { resources, includeSynonyms: false, includeDocumentation: false }
    const reply = await describeConfigs.handle(request as never, this.context('broker') as never)
    const message = codec(describeConfigsResponse, 4)
    return message.decode(message.encodeToBuffer(reply as never)).results[0]?.configs
  }

  async #controller(frame: Buffer): Promise<Buffer[]> {
    const reader = new Reader(frame)
    const { correlationId } = decodeRequestHeader(reader)
    const request: IncrementalAlterConfigsRequest = codec(incrementalAlterConfigsRequest, version).decode(reader)
    this.forwarded.push(...request.resources.map(({ resourceName }) => resourceName))
    const reply = await incrementalAlterConfigs.handle(request as never, this.context('controller') as never)
    const response = encodeResponseFrame({ version, correlationId }, incrementalAlterConfigsResponse, reply as never)
    return [Buffer.concat(response).subarray(4)]
  }
}

const done = { errorCode: 0, errorMessage: null }
const invalidRequest = 42
const invalidConfig = 40

describe('a broker that is asked to alter settings', () => {
  it('changes its log level at once, without asking the controller', async () => {
    const broker = new BrokerUnderTest()
    broker.log.debug('before')
    expect(await broker.alter([['logger', '1', ['root', 'DEBUG']]])).toEqual([done])
    broker.log.child({ component: 'x' }).debug('after')
    expect(broker.lines.join('')).not.toContain('before')
    expect(broker.lines.join('')).toContain('after')
    expect(broker.forwarded).toEqual([])
    expect(await broker.loggers()).toMatchObject([{ name: 'root', value: 'DEBUG', configSource: 6, readOnly: false }])
  })

  it('only validates when that is what was asked for', async () => {
    const broker = new BrokerUnderTest()
    expect(await broker.alter([['logger', '1', ['root', 'DEBUG']]], true)).toEqual([done])
    expect(await broker.loggers()).toMatchObject([{ name: 'root', value: 'INFO' }])
  })

  const refusals: [string, Change, number, string][] = [
    [
      'an unknown logger',
      ['logger', '1', ['kafka.Nobody', 'INFO']],
      invalidConfig,
      'Logger kafka.Nobody does not exist!',
    ],
    [
      'to cordon a directory that it does not have',
      ['broker', '1', ['cordoned.log.dirs', '/elsewhere']],
      invalidRequest,
      'requirement failed: All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : /elsewhere',
    ],
    ['an unknown level', ['logger', '1', ['root', 'LOUD']], invalidConfig, 'Cannot set the log level of root to LOUD'],
    [
      'to remove the root level',
      ['logger', '1', ['root', null, 1]],
      invalidRequest,
      'Removing the log level of the root',
    ],
    ['to append to a level', ['logger', '1', ['root', 'INFO', 2]], invalidRequest, 'APPEND operation is not allowed'],
    [
      'levels of another node',
      ['logger', '2', ['root', 'INFO']],
      invalidRequest,
      'Unexpected node id. Expected 1, but',
    ],
    ['levels of no node', ['logger', 'x', ['root', 'INFO']], invalidRequest, 'Node id must be an integer'],
    ...['', '1'].map((name): [string, Change, number, string] => [
      `a table of keys of one mebibyte, of broker "${name}"`,
      ['broker', name, ['log.cleaner.dedupe.buffer.size', '1048576']],
      invalidRequest,
      'requirement failed: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.',
    ]),
    [
      'more than twice the threads',
      ['broker', '', ['num.io.threads', '17']],
      invalidRequest,
      'Dynamic thread count update validation failed for num.io.threads=17, value should not be greater than double the current value 8',
    ],
    [
      'less than half the threads',
      ['broker', '1', ['num.io.threads', '3']],
      invalidRequest,
      'Dynamic thread count update validation failed for num.io.threads=3, value should be at least half the current value 8',
    ],
    ['a number that is none', ['broker', '1', ['num.io.threads', 'many']], invalidRequest, 'num.io.threads'],
    ['what is fixed', ['broker', '', ['process.roles', 'broker']], invalidRequest, 'Cannot update these configs dyn'],
    [
      'keys that cannot be used',
      ['broker', '1', ['listener.name.tls.ssl.keystore.location', '/nowhere']],
      invalidRequest,
      'no keys at /nowhere',
    ],
    ['settings of another broker', ['broker', '2', ['log.retention.ms', '1']], invalidRequest, 'Unexpected broker id'],
  ]
  it.each(refusals)('refuses %s', async (_title, change, code, message) => {
    const broker = new BrokerUnderTest()
    const [answer] = await broker.alter([change])
    expect(answer?.errorCode).toBe(code)
    expect(answer?.errorMessage).toContain(message)
    expect(broker.forwarded).toEqual([])
  })

  it('forwards the rest, and answers in the order of the request', async () => {
    const broker = new BrokerUnderTest()
    await broker.node.startBrokers(1)
    const answers = await broker.alter([
      ['group', 'g', ['consumer.session.timeout.ms', '50000']],
      ['logger', '1', ['root', 'WARN']],
      ['broker', '3', ['log.retention.ms', '1']],
      ['broker', '', ['log.retention.ms', '5000']],
      ['clientMetrics', 'c', ['metrics', 'org.apache.kafka'], ['match', 'client_id=a.*']],
    ])
    expect(answers.map(({ errorCode }) => errorCode)).toEqual([0, 0, invalidRequest, 0, 0])
    expect(broker.forwarded).toEqual(['g', '', 'c'])
    const { image } = broker.node.publisher
    expect([...image.config('group', 'g')]).toEqual([['consumer.session.timeout.ms', '50000']])
    expect(image.config('client-metrics', 'c').get('match')).toBe('client_id=a.*')
  })

  it('says nothing of files to who may not alter its settings: that is left to the controller', async () => {
    const broker = new BrokerUnderTest()
    broker.mayAlter = false
    await broker.alter([['broker', '1', ['listener.name.tls.ssl.keystore.location', '/nowhere']]])
    expect(broker.forwarded).toEqual(['1'])
  })

  it('looks at settings as they will be, with what was altered before', async () => {
    const broker = new BrokerUnderTest()
    await broker.node.startBrokers(1)
    expect(await broker.alter([['broker', '1', ['listener.name.tls.ssl.keystore.location', '/somewhere']]])).toEqual([
      done,
    ])
    expect(await broker.alter([['broker', '1', ['listener.name.tls.ssl.keystore.type', 'PEM']]])).toEqual([done])
    expect(broker.forwarded).toEqual(['1', '1'])
  })

  it('refuses a resource that is there twice, both times', async () => {
    const broker = new BrokerUnderTest()
    const twice: Change = ['broker', '', ['log.retention.ms', '5000']]
    expect((await broker.alter([twice, twice])).map(({ errorMessage }) => errorMessage)).toEqual([
      'Each resource must appear at most once.',
      'Each resource must appear at most once.',
    ])
  })
})

describe('settings that are not possible', () => {
  const refusals: [string, Change, number, string][] = [
    ['an unknown group setting', ['group', 'g', ['a', '1']], invalidConfig, 'Unknown group config name: a'],
    ['a group without a name', ['group', '', ['a', '1']], invalidRequest, 'Default group resources are not allowed.'],
    [
      'a session timeout below the broker’s bound',
      ['group', 'g', ['consumer.session.timeout.ms', '44999']],
      invalidConfig,
      'consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms',
    ],
    [
      'a number that is none',
      ['group', 'g', ['share.delivery.count.limit', 'x']],
      invalidConfig,
      'Not a number of type INT',
    ],
    [
      'a reset that nobody knows',
      ['group', 'g', ['share.auto.offset.reset', 'now']],
      invalidConfig,
      'share.auto.offset',
    ],
    [
      'a push interval that is too short',
      ['clientMetrics', 'c', ['interval.ms', '99']],
      invalidRequest,
      'between 100 and',
    ],
    [
      'an unknown selector',
      ['clientMetrics', 'c', ['match', 'who=me']],
      invalidConfig,
      'Illegal client matching pattern: who=me',
    ],
    [
      'a bad expression',
      ['clientMetrics', 'c', ['match', 'client_id=(']],
      invalidConfig,
      'Illegal client matching pattern',
    ],
    [
      'an unknown metrics setting',
      ['clientMetrics', 'c', ['x', '1']],
      invalidRequest,
      'Unknown client metrics configuration: x',
    ],
    [
      'a setting that is read at start',
      ['broker', '', ['node.id', '3']],
      invalidRequest,
      'Cannot update these configs dynamically: [node.id]',
    ],
    [
      'a key store of all listeners',
      ['broker', '1', ['ssl.keystore.location', '/x']],
      invalidRequest,
      'These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.location]',
    ],
    [
      'a key store of all brokers',
      ['broker', '', ['listener.name.external.ssl.keystore.location', '/x']],
      invalidRequest,
      'Cannot update these configs at default cluster level, broker id must be specified: [listener.name.external.ssl.keystore.location]',
    ],
    [
      'a value that does not parse',
      ['broker', '', ['log.retention.ms', 'x']],
      invalidRequest,
      'Invalid value x for configuration log.retention.ms: Not a number of type LONG',
    ],
    [
      'an unknown kind of resource',
      ['topic', 'nobody', ['retention.ms', '1']],
      3,
      "The topic 'nobody' does not exist.",
    ],
  ]
  it.each(refusals)('%s', async (_title, change, code, message) => {
    const broker = new BrokerUnderTest()
    await broker.node.startBrokers(1)
    const [answer] = await broker.alter([change])
    expect(answer).toMatchObject({ errorCode: code })
    expect(answer?.errorMessage).toContain(message)
  })
})
