/** Engines as people name them: `faultline`, `apache-kafka`, `apache-kafka:3.9.1`, `redpanda`. */
import { usageError } from '../errors.ts'
import { engines, nodeIds, type ClusterSpec, type Engine } from './cluster.ts'

export interface EngineChoice {
  readonly engine: Engine
  /** Of Apache Kafka; left out: the one that Faultline is compared with. */
  readonly engineVersion?: string
}

/** The first one whose storage the toolkit formats right, and the first that is not Kafka as we know it. */
const oldest = [3, 7, 0] as const
const firstUnknownMajor = 5

export function parseEngine(option: string, text: string): EngineChoice {
  const [name, version, ...rest] = text.split(':')
  const engine = engines.find(candidate => candidate === name)
  if (engine === undefined || rest.length > 0)
    throw usageError(
      `${option} must be one of ${engines.join(', ')}, got ${JSON.stringify(text)}.`,
      'A release of Apache Kafka is named after a colon: apache-kafka:3.9.1',
    )
  if (version === undefined) return { engine }
  if (engine === 'faultline')
    throw usageError(
      `${option} ${text}: the engine faultline is the one of this toolkit and has no versions to choose.`,
    )
  return {
    engine,
    engineVersion: engine === 'redpanda' ? release(option, text, version) : checkedVersion(option, version),
  }
}

/** As `parseEngine` takes it. */
export function engineText({ engine, engineVersion }: EngineChoice): string {
  return engineVersion === undefined ? engine : `${engine}:${engineVersion}`
}

/** What runs a node: its own engine, or the cluster's. */
export function engineOf(spec: ClusterSpec, id: number): EngineChoice {
  const own = spec.nodes?.[String(id)]
  const engine = own?.engine ?? spec.engine
  const engineVersion = own?.engine === undefined ? spec.engineVersion : own.engineVersion
  return { engine, ...(engineVersion === undefined ? {} : { engineVersion }) }
}

/** The engines of a cluster, each once, as `parseEngine` takes them, in the order of the nodes. */
export function enginesOf(spec: ClusterSpec): string[] {
  return [...new Set(nodeIds(spec).map(id => engineText(engineOf(spec, id))))]
}

function checkedVersion(option: string, version: string): string {
  const example = 'For example: apache-kafka:3.9.1'
  const [major = 0, minor = 0, patch = 0] = release(option, `apache-kafka:${version}`, version).split('.').map(Number)
  const tooOld =
    major < oldest[0] || (major === oldest[0] && (minor < oldest[1] || (minor === oldest[1] && patch < oldest[2])))
  if (tooOld || major >= firstUnknownMajor)
    throw usageError(
      `${option} apache-kafka:${version}: expected a release from ${oldest.join('.')} on and before ${firstUnknownMajor}.0.0.`,
      example,
    )
  return version
}

function release(option: string, text: string, version: string): string {
  if (/^\d+\.\d+\.\d+$/.test(version)) return version
  throw usageError(
    `${option} ${text}: expected a release with three numbers, such as 3.9.1 or 4.0.0.`,
    'For example: apache-kafka:3.9.1',
  )
}
