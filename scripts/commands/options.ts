/** Options and arguments that several commands share, and how their text becomes a value. */
import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { usageError } from '../errors.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { checkedName, defaultName } from '../cluster/spec.ts'

export interface CommonOptions {
  readonly name: string
  readonly json?: boolean
}

/** --name and --json, which every command takes. */
export function withCommonOptions(command: Command): Command {
  return command
    .option('--name <name>', 'which cluster', checkedName, defaultName)
    .option('--json', 'one JSON document on stdout, progress on stderr')
}

export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError(`Expected a whole number, got ${JSON.stringify(text)}.`)
  return Number(text)
}

export function collect(text: string, before: readonly string[]): string[] {
  return [...before, text]
}

/** Broker numbers, `all`, or `controller` for the active controller. */
export async function resolveNodes(cluster: Cluster, names: readonly string[]): Promise<number[]> {
  const nodes = await cluster.nodes()
  const known = nodes.map(node => node.id)
  const ids: number[] = []
  for (const name of names) {
    if (name === 'all') ids.push(...known)
    else if (name === 'controller') ids.push(await activeController(cluster))
    else if (known.includes(Number(name))) ids.push(Number(name))
    else
      throw usageError(
        `There is no node ${name} in the cluster ${cluster.spec.name}: it has ${known.join(', ')} (and "all", "controller").`,
      )
  }
  return [...new Set(ids)]
}

async function activeController(cluster: Cluster): Promise<number> {
  const quorum = await cluster.quorum()
  if (quorum !== undefined) return quorum.leaderId
  throw usageError('The quorum has no leader at the moment, so "controller" names nobody.', 'Say a number.')
}
