/**
 * Redpanda as the engine of a Compose project: the public image, with the flags of `rpk redpanda start`
 * (https://docs.redpanda.com/streaming/current/reference/rpk/rpk-redpanda/rpk-redpanda-start). Not its mode `dev-container`: that goes without fsync,
 * and would make every answer about durability worthless.
 *
 * Written from Redpanda's documentation; no machine that this was written on could pull the image.
 */
import { usageError } from '../../errors.ts'
import type { ClusterSpec } from '../cluster.ts'
import { brokerIds } from '../cluster.ts'
import { brokerPort, HOST } from '../ports.ts'

/** What is meant where no release is named. */
const redpandaVersion = '26.1.9'
export const redpandaDataDir = '/var/lib/redpanda/data'
const CLIENT_PORT = 9092
const NETWORK_PORT = 19092
const RPC_PORT = 33145

export function redpandaImage({ engineVersion = redpandaVersion }: Pick<ClusterSpec, 'engineVersion'>): string {
  return `redpandadata/redpanda:v${engineVersion}`
}

/** Refuses what a cluster of Redpanda cannot be here. */
export function requireRedpandaSpec(spec: ClusterSpec): void {
  const refuse = (what: string, why: string): never => {
    throw usageError(`${what} is not there on the engine redpanda: ${why}.`, 'Leave it away.')
  }
  if (spec.runtime !== 'compose')
    throw usageError('The engine redpanda runs in containers only.', 'Use --runtime compose.')
  if (spec.controllers > 0) refuse('--controllers', 'its brokers have no controllers beside them')
  if (spec.security !== undefined) refuse('--security', 'it takes other settings than Kafka')
  if (spec.proxy === true) refuse('--proxy', 'the fault proxy knows Kafka’s listeners alone')
  if (spec.faults === true) refuse('--faults', 'nothing of ours is inside its nodes')
  if (spec.dataDir !== undefined) refuse('--data', 'its data is in volumes')
  const own = Object.values(spec.nodes ?? {})
  if (own.some(({ engine }) => engine !== undefined))
    throw usageError('A node of another engine joins no cluster of Redpanda.', 'All of them redpanda, or none.')
  if ([spec, ...own].some(({ settings = {} }) => Object.keys(settings).length > 0))
    refuse('--set', 'its settings are others than Kafka’s')
}

/** The text of a Compose file. */
export function redpandaComposeFile(
  spec: ClusterSpec,
  { title, project }: { readonly title: readonly string[]; readonly project: string },
): string {
  const ids = brokerIds(spec)
  const name = (id: number): string => `broker-${id}`
  const seeds = ids.map(id => `${name(id)}:${RPC_PORT}`).join(',')
  const service = (id: number): string[] => {
    const flags = [
      '--smp=1',
      '--memory=1G',
      '--reserve-memory=0M',
      '--overprovisioned',
      '--check=false',
      '--set=redpanda.developer_mode=true',
      `--set=redpanda.node_id=${id}`,
      '--set=redpanda.empty_seed_starts_cluster=false',
      `--seeds=${seeds}`,
      `--rpc-addr=0.0.0.0:${RPC_PORT}`,
      `--advertise-rpc-addr=${name(id)}:${RPC_PORT}`,
      `--kafka-addr=internal://0.0.0.0:${NETWORK_PORT},external://0.0.0.0:${CLIENT_PORT}`,
      `--advertise-kafka-addr=internal://${name(id)}:${NETWORK_PORT},external://${HOST}:${brokerPort(spec, id)}`,
    ]
    const rack = spec.nodes?.[String(id)]?.rack
    if (rack !== undefined) flags.push(`--set=redpanda.rack=${rack}`)
    return [
      `  ${name(id)}:`,
      `    image: ${redpandaImage(spec)}`,
      `    hostname: ${name(id)}`,
      '    stop_grace_period: 30s',
      '    command:',
      '      - redpanda',
      '      - start',
      ...flags.map(flag => `      - '${flag}'`),
      '    ports:',
      `      - '${HOST}:${brokerPort(spec, id)}:${CLIENT_PORT}'`,
      '    volumes:',
      `      - ${name(id)}:${redpandaDataDir}`,
      '',
    ]
  }
  const volumes = ids.map(id => `  ${name(id)}:`)
  const head = [...title.map(line => `# ${line}`), '', `name: ${project}`, '', 'services:']
  return `${[...head, ...ids.flatMap(service), 'volumes:', ...volumes].join('\n')}\n`
}
