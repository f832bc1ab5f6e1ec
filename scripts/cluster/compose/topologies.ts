/** The topologies in `compose/`: `node scripts/cluster/compose/topologies.ts` writes them again; a test keeps them fresh. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClusterSpec } from '../cluster.ts'
import { clusterSpec } from '../spec.ts'
import { projectRoot } from '../state.ts'
import { composeFile } from './generator.ts'

interface Topology {
  readonly file: string
  readonly spec: ClusterSpec
  readonly title: readonly string[]
}

const use = (file: string, hosts: string, inside: string) => [
  '',
  `  docker compose -f compose/${file} up --wait     starts it (and builds the image if it is not there)`,
  `  docker compose -f compose/${file} down -v       takes it away, with its data`,
  '',
  `Clients on this machine: ${hosts}. Clients in the network: ${inside}.`,
  'To try it with another image of the same manners, replace the image name. Written by scripts/cluster/compose/topologies.ts.',
]

export const topologies: readonly Topology[] = [
  {
    file: 'one.yaml',
    spec: clusterSpec({ name: 'one', runtime: 'compose', brokers: 1 }),
    title: ['One broker that is its own controller.', ...use('one.yaml', '127.0.0.1:9092', 'broker-1:19092')],
  },
  {
    file: 'three.yaml',
    spec: clusterSpec({ name: 'three', runtime: 'compose', brokers: 3 }),
    title: [
      'Three brokers, each of them a controller as well: any one of them can fail.',
      ...use('three.yaml', '127.0.0.1:9092, :9093, :9094', 'broker-1:19092, broker-2:19092, broker-3:19092'),
    ],
  },
  {
    file: 'three-controllers-three-brokers.yaml',
    spec: clusterSpec({ name: 'separate', runtime: 'compose', brokers: 3, controllers: 3 }),
    title: [
      'Three brokers and three controllers of their own, as larger clusters are run.',
      ...use(
        'three-controllers-three-brokers.yaml',
        '127.0.0.1:9092, :9093, :9094',
        'broker-1:19092, broker-2:19092, broker-3:19092',
      ),
    ],
  },
]

/** The text of one of them. */
export function topologyText({ file, spec, title }: Topology): string {
  const project = `faultline-${file.replace('.yaml', '')}`
  return composeFile(spec, { title, project, clusterId: 'FaultlineCompose000001', buildContext: '..' })
}

if (import.meta.main) {
  for (const topology of topologies) writeFileSync(join(projectRoot, 'compose', topology.file), topologyText(topology))
}
