/**
 * The Compose files in `compose/`, one of each ready topology: `make compose` writes them again, and a test keeps them fresh. They are for plain
 * `docker compose`, so what they cannot have is said at their top.
 */
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import type { ClusterSpec } from '../cluster.ts'
import { brokerIds } from '../cluster.ts'
import { engineOf } from '../engine-name.ts'
import { prometheusConfig } from '../metrics.ts'
import { clusterSpec } from '../spec.ts'
import { projectRoot } from '../state.ts'
import { loadTopology, readyTopologies, requestOf } from '../topology/load.ts'
import type { Topology } from '../topology/topology.ts'
import { bootstrapOf, extrasOf, scrapeTargets } from './extras.ts'
import { composeFile, NETWORK_PORT, serviceName } from './generator.ts'

export const composeCommand = 'make compose'
const WIDTH = 130

export interface ComposeTopology {
  /** In `compose/`. */
  readonly file: string
  readonly spec: ClusterSpec
  readonly text: string
}

export async function composeTopologies(): Promise<readonly ComposeTopology[]> {
  return await Promise.all(readyTopologies().map(async name => composeTopology(name, await loadTopology(name))))
}

function composeTopology(name: string, topology: Topology): ComposeTopology {
  const spec = composeSpec(name, topology)
  const file = `${name}.yaml`
  const extras = extrasOf(spec)
  const text = composeFile(spec, {
    title: titleOf(file, topology, spec),
    project: `faultline-${name}`,
    clusterId: 'FaultlineCompose000001',
    buildContext: '..',
    ...(extras === undefined ? {} : { extras }),
  })
  return { file, spec, text }
}

/** Without what a plain Compose file cannot have. */
function composeSpec(name: string, topology: Topology): ClusterSpec {
  const { links: _links, proxy: _proxy, ...rest } = clusterSpec({ ...requestOf(topology), name, runtime: 'process' })
  return { ...rest, runtime: 'compose' }
}

function titleOf(file: string, topology: Topology, spec: ClusterSpec): string[] {
  const [first = '', ...others] = bootstrapOf(spec)
  const here = [first, ...others.map(address => address.slice(address.indexOf(':')))].join(', ')
  const inside = brokerIds(spec)
    .map(id => `${serviceName(spec, id)}:${NETWORK_PORT}`)
    .join(', ')
  const ready = file.replace('.yaml', '')
  return [
    ...wrapped(topology.summary ?? ready),
    '',
    `  docker compose -f compose/${file} up --wait     starts it (and builds the image if it is not there)`,
    `  docker compose -f compose/${file} down -v       takes it away, with its data`,
    '',
    `Clients on this machine: ${here}. Clients in the network: ${inside}.`,
    ...leftOut(ready, topology),
    ...aboutSecurity(file, spec),
    ...aboutMetrics(spec),
    ...aboutEngines(spec),
    `To try it with another image of the same manners, replace the image name. Written by ${composeCommand} from topologies/${ready}.json.`,
  ]
}

function leftOut(ready: string, { links = [] }: Topology): string[] {
  if (links.length === 0) return []
  return wrapped(
    `Left out: what slows the links, which takes the toolkit's proxy in front of every node. With it: ./faultline up --topology ${ready}`,
  )
}

function aboutSecurity(file: string, { security }: ClusterSpec): string[] {
  if (security === undefined || security === 'none') return []
  return [
    '',
    'Users and keys are made by the first start. What clients need is copied from the service that made them, and used in the folder:',
    '',
    `  docker compose -f compose/${file} cp security:/mnt/shared/config/. secrets && cd secrets`,
    '  kcat -F admin.kcat.conf -L                    admin may do everything; alice nothing until an ACL says so',
    '  kafka-topics.sh --bootstrap-server 127.0.0.1:9092 --command-config admin.properties --list',
    '',
  ]
}

function aboutMetrics({ metrics }: ClusterSpec): string[] {
  if (metrics !== true) return []
  return [
    'Prometheus: http://127.0.0.1:9090. Grafana, with the dashboard: http://127.0.0.1:3000. Both images are pulled.',
  ]
}

function aboutEngines(spec: ClusterSpec): string[] {
  if (brokerIds(spec).every(id => engineOf(spec, id).engine === 'faultline')) return []
  return [
    'The images of Apache Kafka are pulled, and have no health check: --wait waits until they run. Their controller formats the storage of the',
    'quorum, so it has the oldest release: the levels of features that it begins with are known to all.',
  ]
}

/** Lines of a comment. */
function wrapped(text: string): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + word.length + 1 > WIDTH) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}

/** All files of `compose/` that are generated: path within it, and text. */
export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const topologies = await composeTopologies()
  const metrics = topologies
    .filter(({ spec }) => spec.metrics === true)
    .map(({ spec, file }) => {
      const title = [`Of compose/${file}, written by ${composeCommand}.`]
      const targets = scrapeTargets(spec)
      return ['metrics/prometheus.yml', prometheusConfig({ title, targets, rules: 'alerts.yml' })] as const
    })
  return new Map([...topologies.map(({ file, text }) => [file, text] as const), ...metrics])
}

if (import.meta.main) {
  for (const [file, text] of await generatedFiles()) {
    const path = join(projectRoot, 'compose', file)
    makeFolder(dirname(path))
    writeFileSync(path, text)
  }
}
