/** What a node that is a process of this machine finds when it starts: its folders and its server.properties. */
import { join, resolve, sep } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import type { ClusterSpec } from '../cluster.ts'
import { controllerIds, nodeIds } from '../cluster.ts'
import { metadataDirectory } from '../metadata-directory.ts'
import { outsideData, type OutsideData } from '../outside-data.ts'
import { brokerPort, controllerPort, HOST } from '../ports.ts'
import type { NodeAddresses, Properties } from '../properties.ts'
import { formatProperties, nodeProperties } from '../properties.ts'
import { traitsOf } from '../security/kinds.ts'
import { readSecurity, writeSecret, type ClusterSecurity } from '../security/material.ts'
import { firstUserSettings, nodeSecuritySettings } from '../security/node-settings.ts'
import type { ClusterRecord } from '../state.ts'
import { logDirectories, makeDataDirectory, nodeDirectory, stateDirectory } from '../state.ts'
import type { ProcessEngine } from './engine.ts'
import { proxiedAddresses } from './proxied-addresses.ts'

/** Folders and server.properties of these nodes. */
export function writeNodeFiles(record: ClusterRecord, engine: ProcessEngine, ids: readonly number[]): void {
  const { spec } = record
  const security = readSecurity(spec)
  for (const id of ids) {
    makeFolder(nodeDirectory(spec.name, id))
    makeDataDirectory(spec, id)
    const properties = {
      ...processNodeProperties(spec, id, security),
      ...firstUserSettings(security),
      ...engine.properties(spec, id, record.clusterId),
    }
    const file = join(nodeDirectory(spec.name, id), 'server.properties')
    // May hold passwords.
    writeSecret(file, `# Written by ./faultline up\n${formatProperties(properties)}`)
  }
}

/** Undefined: the metadata log of the node lies in one of its log directories. */
export function metadataDirectoryOf(spec: ClusterSpec, id: number): string | undefined {
  return metadataDirectory(spec, id, { directories: logDirectories(spec, id), from: nodeDirectory(spec.name, id) })
}

export function outsideOfProcesses(spec: ClusterSpec): OutsideData {
  const inside = resolve(stateDirectory(spec.name)) + sep
  const data = nodeIds(spec).flatMap(id => logDirectories(spec, id))
  const metadata = nodeIds(spec).flatMap(id => metadataDirectoryOf(spec, id) ?? [])
  return outsideData(
    spec,
    data,
    metadata.filter(directory => !directory.startsWith(inside)),
  )
}

/** What a node that is a process of this machine is started with, whatever the engine. Without `security`, no keys and passwords. */
export function processNodeProperties(spec: ClusterSpec, id: number, security?: ClusterSecurity): Properties {
  const addresses = spec.proxy === true ? proxiedAddresses(spec, id) : directAddresses(spec, id)
  const names = (listeners: readonly { readonly name: string }[]) => listeners.map(({ name }) => name)
  const options = {
    listeners: names(addresses.listeners),
    controllers: names(addresses.controllers),
    keys: 'files',
  } as const
  const secured = security === undefined ? {} : { security: nodeSecuritySettings(security, options) }
  return nodeProperties(spec, id, { ...addresses, ...secured }, logDirectories(spec, id).join(','))
}

function directAddresses(spec: ClusterSpec, id: number): NodeAddresses {
  const port = brokerPort(spec, id)
  const name = traitsOf(spec.security).protocol
  return {
    bindHost: HOST,
    listeners: [{ name, port, advertised: `${HOST}:${port}` }],
    interBrokerListener: name,
    controllers: [{ name: 'CONTROLLER', port: controllerPort(spec, id) }],
    voters: controllerIds(spec).map(voter => `${voter}@${HOST}:${controllerPort(spec, voter)}`),
  }
}
