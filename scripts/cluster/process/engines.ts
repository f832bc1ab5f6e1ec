/** The engine of a cluster of processes: that of all its nodes, or one that hands each node to its own. */
import { usageError } from '../../errors.ts'
import { kafkaVersion } from '../apache-kafka/release.ts'
import type { ClusterSpec } from '../cluster.ts'
import { nodeIds } from '../cluster.ts'
import { engineOf, engineText, type EngineChoice } from '../engine-name.ts'
import type { ProcessEngine } from './engine.ts'
import { faultlineEngine } from './faultline-engine.ts'

/** What runs Apache Kafka is loaded when it is asked for: with the library it starts Java by, it takes as long as all the rest. */
export async function processEngine(choice: EngineChoice): Promise<ProcessEngine> {
  if (choice.engine === 'faultline') return faultlineEngine
  if (choice.engine === 'apache-kafka')
    return (await import('../apache-kafka/engine.ts')).apacheKafka(choice.engineVersion)
  throw usageError(`The engine ${engineText(choice)} runs in containers only.`, 'Use --runtime compose.')
}

export async function processEngineOf(spec: ClusterSpec): Promise<ProcessEngine> {
  const choices = new Map(nodeIds(spec).map(id => [engineText(engineOf(spec, id)), engineOf(spec, id)]))
  const [only, ...others] = choices.values()
  if (only === undefined || others.length === 0) return await processEngine(only ?? spec)
  const engines = new Map<string, ProcessEngine>()
  for (const [text, choice] of choices) engines.set(text, await processEngine(choice))
  const oldest = engines.get(oldestKafka([...choices.values()]))
  if (oldest === undefined) throw new Error('several engines, and none of them is Apache Kafka')
  return mixedEngine(spec, engines, oldest)
}

/**
 * @param formats  formats the storage of all nodes: the oldest release of Apache Kafka among them, since the levels of features that a new cluster
 *   begins with must be known to every node. Our nodes begin on such storage, too
 */
function mixedEngine(
  spec: ClusterSpec,
  engines: ReadonlyMap<string, ProcessEngine>,
  formats: ProcessEngine,
): ProcessEngine {
  const all = [...engines.values()]
  const of = (id: number): ProcessEngine => engines.get(engineText(engineOf(spec, id))) ?? formats
  const ids = nodeIds(spec)
  return {
    nodeMemoryBytes: Math.ceil(ids.reduce((sum, id) => sum + of(id).nodeMemoryBytes, 0) / ids.length),
    readyTimeoutMs: Math.max(...all.map(({ readyTimeoutMs }) => readyTimeoutMs)),
    async available() {
      const found = await Promise.all(all.map(engine => engine.available()))
      return found.find(({ available }) => !available) ?? { available: true }
    },
    async prepare(options) {
      for (const engine of all) await engine.prepare(options)
    },
    format: (nodes, clusterId, options) => formats.format(nodes, clusterId, options),
    properties: (given, id, clusterId) => of(id).properties(given, id, clusterId),
    launch: (node, options) => of(node.id).launch(node, options),
    inVersion() {
      throw usageError(
        `The nodes of ${spec.name} are of several engines, so there is no one version for them.`,
        'A cluster of one engine can be upgraded: ./faultline up --engine apache-kafka:3.9.1',
      )
    },
    // Never asked: a node that has a version of its own is of one engine.
    mark: '',
  }
}

/** As `engineText` has it. */
function oldestKafka(choices: readonly EngineChoice[]): string {
  const kafka = choices.filter(({ engine }) => engine === 'apache-kafka')
  const numbers = ({ engineVersion = kafkaVersion }: EngineChoice): number[] => engineVersion.split('.').map(Number)
  const [oldest] = kafka.sort((one, other) => {
    const [a, b] = [numbers(one), numbers(other)]
    const at = a.findIndex((part, index) => part !== b[index])
    return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0)
  })
  return oldest === undefined ? '' : engineText(oldest)
}
