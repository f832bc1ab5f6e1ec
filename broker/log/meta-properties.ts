/**
 * `meta.properties`: to which cluster and node a log directory belongs, and its own id. A node refuses to start on a
 * directory of another.
 *
 * Form: a Java properties file, version 1: version, cluster.id, node.id, directory.id. Source: KIP-631, KIP-858
 * (directory ids).
 */
import { DiskError, type Disk, type DiskLock, type Random } from '../environment/environment.ts'
import { readFile, replaceFile } from './small-files.ts'

export const metaPropertiesFile = 'meta.properties'

export interface MetaProperties {
  readonly clusterId: string
  readonly nodeId: number
  /** Base64url UUID, 22 characters; undefined in directories written before Kafka 3.7. */
  readonly directoryId: string | undefined
}

/** A log directory cannot be used by this node: the message says why and what to do. */
export class LogDirectoryError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'LogDirectoryError'
  }
}

const wayOut =
  'Write it again as it was (version, cluster.id, node.id and directory.id; other nodes and the metadata tell them), or, ' +
  'when other brokers hold copies of all that is in the directory, empty the directory.'

/** Undefined when the directory was never formatted. Throws LogDirectoryError on a file that makes no sense. */
export function readMetaProperties(disk: Disk, directory: string): MetaProperties | undefined {
  const path = `${directory}/${metaPropertiesFile}`
  const content = readFile(disk, path)?.toString('utf8')
  if (content === undefined) return undefined
  const values = new Map<string, string>()
  for (const line of content.split(/\r?\n/)) {
    const match = /^\s*([^#!=\s][^=\s]*)\s*=\s*(.*?)\s*$/.exec(line)
    if (match !== null) values.set(match[1]!, match[2]!.replaceAll(/\\(.)/g, '$1'))
  }
  const version = values.get('version')
  const clusterId = values.get('cluster.id')
  const nodeId = Number(values.get('node.id'))
  if (version !== '1')
    throw new LogDirectoryError(
      `${path}: expected version=1, got ${version ?? 'none'}; was it written by another program, or damaged? ${wayOut}`,
    )
  if (clusterId === undefined || clusterId === '' || !Number.isInteger(nodeId)) {
    throw new LogDirectoryError(
      `${path}: expected cluster.id and node.id, got ${JSON.stringify(Object.fromEntries(values))}. ${wayOut}`,
    )
  }
  const directoryId = values.get('directory.id')
  if (directoryId !== undefined && !/^[A-Za-z0-9_-]{22}$/.test(directoryId))
    throw new LogDirectoryError(
      `${path}: expected directory.id to be 22 characters of base64url, got ${JSON.stringify(directoryId)}. ${wayOut}`,
    )
  return { clusterId, nodeId, directoryId }
}

export function writeMetaProperties(
  disk: Disk,
  directory: string,
  properties: MetaProperties & { readonly directoryId: string },
): void {
  const lines = [
    '#',
    `cluster.id=${properties.clusterId}`,
    `directory.id=${properties.directoryId}`,
    `node.id=${properties.nodeId}`,
    'version=1',
    '',
  ]
  replaceFile(disk, `${directory}/${metaPropertiesFile}`, lines.join('\n'), { durable: true })
}

/**
 * Formats a new directory, completes an old one, and refuses one that belongs to somebody else. Returns the directory
 * id.
 */
export function claimDirectory(
  disk: Disk,
  directory: string,
  owner: { readonly clusterId: string; readonly nodeId: number; readonly random: Random },
): string {
  const found = readMetaProperties(disk, directory)
  const { clusterId, nodeId } = owner
  if (found !== undefined && found.clusterId !== clusterId) {
    throw new LogDirectoryError(
      `${directory} belongs to cluster ${found.clusterId}, but this node was started for cluster ${clusterId}: use another directory or the right cluster id.`,
    )
  }
  if (found !== undefined && found.nodeId !== nodeId) {
    throw new LogDirectoryError(
      `${directory} belongs to node ${found.nodeId}, but this is node ${nodeId}: every node needs a directory of its own.`,
    )
  }
  if (found?.directoryId !== undefined) return found.directoryId
  const directoryId = randomUuid(owner.random)
  writeMetaProperties(disk, directory, { clusterId, nodeId, directoryId })
  return directoryId
}

/** A random UUID (version 4) as Kafka writes it: 22 characters base64url, never one that begins with a dash. */
export function randomUuid(random: Random): string {
  for (;;) {
    const bytes = random.bytes(16)
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    const text = bytes.toString('base64url')
    if (!text.startsWith('-')) return text
  }
}

/** Takes the directory for this process, as Kafka does with its `.lock` file. Throws LogDirectoryError while another process has it. */
export function lockDirectory(disk: Disk, directory: string): DiskLock {
  try {
    return disk.lock(`${directory}/.lock`)
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'EEXIST') throw error
    const holder = error.cause instanceof Error ? error.cause.message : 'another process holds it'
    throw new LogDirectoryError(
      `${directory} is in use (${holder}): stop that process, or give this node a directory of its own.`,
    )
  }
}
