/**
 * Makes the users, keys and settings of a secured cluster of containers, once, for Compose files that are used without the toolkit: a service
 * that runs this to its end, and nodes that mount the same volume at /mnt/shared/config, where they read `server.properties` from it.
 *
 *   node security.mjs --kind sasl-tls --listeners SASL_SSL,SASL_SSL_HOST --hosts broker-1,127.0.0.1 --bootstrap 127.0.0.1:9092 [--directory DIR]
 *
 * What is there already stays, since the users are in the metadata log of the nodes. Files for clients name certificates without a folder: they are
 * copied out and used in the folder that they were copied to.
 */
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { formatProperties } from '../cluster/properties.ts'
import { writeClientFiles } from '../cluster/security/clients.ts'
import { securityKinds } from '../cluster/security/kinds.ts'
import { makeSecrets, readSecrets, writeSecret, type ClusterSecurity } from '../cluster/security/material.ts'
import { firstUserSettings, nodeSecuritySettings } from '../cluster/security/node-settings.ts'
import { failure, messageOf, usageError } from '../errors.ts'
import { mountedFile } from './settings.ts'

export interface ContainerSecurityOptions {
  readonly kind: string
  /** Names of the broker listeners. */
  readonly listeners: readonly string[]
  /** Names and addresses by which clients and nodes reach the nodes. */
  readonly hosts: readonly string[]
  /** `host:port` of the brokers, as clients on this machine reach them. */
  readonly bootstrap: readonly string[]
  readonly directory: string
}

export async function makeContainerSecurity(options: ContainerSecurityOptions): Promise<void> {
  const { directory, hosts, listeners, bootstrap } = options
  const kind = securityKinds.find(each => each === options.kind && each !== 'none')
  if (kind === undefined)
    throw usageError(`--kind must be one of ${securityKinds.slice(1).join(', ')}, got ${JSON.stringify(options.kind)}.`)
  await makeSecrets({ directory, kind, cluster: 'of containers', hosts })
  const security = readSecrets(directory, kind, file =>
    failure(`${file} is missing: empty ${directory} to begin anew.`),
  )
  writeClientFiles(withoutFolders(security), bootstrap)
  const settings = { ...nodeSecuritySettings(security, { listeners, keys: 'files' }), ...firstUserSettings(security) }
  writeSecret(
    join(directory, basename(mountedFile)),
    `# Of every node; written by security.mjs\n${formatProperties(settings)}`,
  )
}

/** Certificates by the names that they have beside the files for clients. */
function withoutFolders(security: ClusterSecurity): ClusterSecurity {
  const { authority, clients } = security
  const bare = <T extends { readonly file: string }>(pem: T): T => ({ ...pem, file: basename(pem.file) })
  return {
    ...security,
    clients: new Map([...clients].map(([name, pem]) => [name, bare(pem)])),
    ...(authority === undefined ? {} : { authority: bare(authority) }),
  }
}

const listOf = (text: string | undefined): string[] => (text ?? '').split(',').filter(part => part !== '')

if (import.meta.main) {
  const text = { type: 'string' } as const
  try {
    const { values } = parseArgs({
      options: { kind: text, listeners: text, hosts: text, bootstrap: text, directory: text },
    })
    await makeContainerSecurity({
      kind: values.kind ?? '',
      listeners: listOf(values.listeners),
      hosts: listOf(values.hosts),
      bootstrap: listOf(values.bootstrap),
      directory: values.directory ?? join(mountedFile, '..'),
    })
  } catch (error) {
    console.error(messageOf(error))
    process.exitCode = 1
  }
}
