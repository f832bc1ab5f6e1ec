/** What a node that is a process of this machine finds when it starts: its folders and its server.properties. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClusterSpec } from '../cluster.ts'
import { controllerIds } from '../cluster.ts'
import { brokerPort, controllerPort, HOST } from '../ports.ts'
import type { Properties } from '../properties.ts'
import { formatProperties, nodeProperties } from '../properties.ts'
import type { ClusterRecord } from '../state.ts'
import { dataDirectory, makeDataDirectory, nodeDirectory } from '../state.ts'
import type { ProcessEngine } from './engine.ts'

/** Folders and server.properties of these nodes. */
export function writeNodeFiles(record: ClusterRecord, engine: ProcessEngine, ids: readonly number[]): void {
  const { spec } = record
  for (const id of ids) {
    mkdirSync(nodeDirectory(spec.name, id), { recursive: true })
    makeDataDirectory(spec, id)
    const properties = { ...processNodeProperties(spec, id), ...engine.properties(spec, id, record.clusterId) }
    const file = join(nodeDirectory(spec.name, id), 'server.properties')
    writeFileSync(file, `# Written by ./faultline up\n${formatProperties(properties)}`)
  }
}

/** What a node that is a process of this machine is started with, whatever the engine. */
export function processNodeProperties(spec: ClusterSpec, id: number): Properties {
  const port = brokerPort(spec, id)
  const addresses = {
    bindHost: HOST,
    listeners: [{ name: 'PLAINTEXT', port, advertised: `${HOST}:${port}` }],
    interBrokerListener: 'PLAINTEXT',
    controllerPort: controllerPort(spec, id),
    voters: controllerIds(spec).map(voter => `${voter}@${HOST}:${controllerPort(spec, voter)}`),
  }
  return nodeProperties(spec, id, addresses, dataDirectory(spec, id))
}
