/**
 * What a node of a test's cluster is: a broker of this project, or, with CONFORMANCE_ENGINE=apache-kafka, a real Apache Kafka of the same
 * shape. The second keeps the suites honest: a claim that Apache Kafka does not keep either is no claim about compatibility.
 */
import { get } from 'node:http'
import { apacheKafkaEngine } from '#scripts/cluster/apache-kafka/engine.ts'
import { faultlineEngine } from '#scripts/cluster/process/faultline-engine.ts'
import type { Launch, NodeFiles } from '#scripts/cluster/process/engine.ts'
import { startKafkaQuickly } from '#tests/quick-java.ts'

const host = '127.0.0.1'

export interface NodeEngine {
  /** Whether it has an inspector: without one there is no state and no ledger of requests. */
  readonly hasInspector: boolean
  readonly startDeadlineMs: number
  /** What a node runs from is made or fetched. Quick when it is there. */
  prepare(): Promise<void>
  /** Before the first start of nodes; leaves alone those that have a past. */
  format(nodes: readonly NodeFiles[], clusterId: string): Promise<void>
  launch(node: NodeFiles): Launch
  /** @param log  what the process that was started last has logged so far */
  isServing(inspectorPort: number, log: string): Promise<boolean>
}

/** Body of an HTTP answer with status 200; undefined when nobody answers or not with 200. */
export function httpBody(port: number, url: string): Promise<string | undefined> {
  return new Promise(resolve => {
    const request = get({ host, port, path: url, agent: false, timeout: 30_000 }, response => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (body += chunk))
      response.on('end', () => resolve(response.statusCode === 200 ? body : undefined))
      response.on('error', () => resolve(undefined))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(undefined))
  })
}

const quietly = { progress: () => {}, signal: undefined }
let bundled: Promise<void> | undefined

/** As `up` starts it: from one file, since a start from the sources takes a second of computing more, and here are a hundred starts. */
export const faultline: NodeEngine = {
  hasInspector: true,
  startDeadlineMs: 180_000,
  prepare: () => (bundled ??= faultlineEngine.prepare(quietly)),
  format: async () => {},
  launch: node => faultlineEngine.launch(node, { tied: false, isShortLived: true }),
  isServing: async inspectorPort => (await httpBody(inspectorPort, '/health')) !== undefined,
}

export const apacheKafka: NodeEngine = {
  hasInspector: false,
  startDeadlineMs: apacheKafkaEngine.readyTimeoutMs,
  prepare: () => apacheKafkaEngine.prepare(quietly),
  async format(nodes, clusterId) {
    await apacheKafka.prepare()
    await apacheKafkaEngine.format(nodes, clusterId, quietly)
  },
  launch(node) {
    startKafkaQuickly()
    return apacheKafkaEngine.launch(node, { tied: false, isShortLived: true })
  },
  isServing: (_, log) => Promise.resolve(log.includes('Kafka Server started')),
}

const engines: Readonly<Record<string, NodeEngine>> = { faultline, 'apache-kafka': apacheKafka }
const chosen = process.env['CONFORMANCE_ENGINE'] ?? 'faultline'

/** True when the clusters of the tests are Apache Kafka's. */
export const isReference = chosen === 'apache-kafka'

export function chosenEngine(): NodeEngine {
  const engine = engines[chosen]
  if (engine === undefined) throw new Error(`CONFORMANCE_ENGINE=${chosen}: one of ${Object.keys(engines).join(', ')}`)
  return engine
}

/** Title of a claim that Apache Kafka cannot be asked about: `test.skipIf(isReference)(oursAlone('…', 'no inspector'), …)`. */
export function oursAlone(title: string, reason: string): string {
  return isReference ? `${title} (not on Apache Kafka: ${reason})` : title
}
