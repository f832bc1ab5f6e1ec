/**
 * Packets that get lost at the network card of a container. The filter is set from a short-lived container in the same network namespace, which alone
 * has the right to (NET_ADMIN); it ends with the run of the node's container. What a node says to itself is left alone.
 */
import type { Parameters } from '#broker/environment/faulty/parameters.ts'
import { failure } from '../../errors.ts'
import { runBeside } from './container.ts'

/** Resolves when nothing passes any more. */
export async function filterPackets(container: string, parameters: Parameters): Promise<void> {
  await iptables(container, rulesOf(parameters), '-I')
}

export async function passPackets(container: string, parameters: Parameters): Promise<void> {
  await iptables(container, rulesOf(parameters), '-D')
}

/** Each a chain and what is dropped there. */
export function rulesOf({ direction, port }: Parameters): readonly (readonly [chain: string, match: string])[] {
  // Of connections that the node opens, the port is that of the other side.
  const to = port === undefined ? '' : ` -p tcp --dport ${String(port)}`
  const from = port === undefined ? '' : ` -p tcp --sport ${String(port)}`
  return [
    ...(direction === 'out' ? [] : ([['INPUT', `! -i lo${from}`]] as const)),
    ...(direction === 'in' ? [] : ([['OUTPUT', `! -o lo${to}`]] as const)),
  ]
}

async function iptables(
  container: string,
  rules: readonly (readonly [chain: string, match: string])[],
  change: '-I' | '-D',
): Promise<void> {
  const script = rules.map(([chain, match]) => `iptables -w ${change} ${chain} ${match} -j DROP`).join(' && ')
  const { exitCode, output } = await runBeside(container, ['sh', '-c', script])
  if (exitCode === 0) return
  throw failure(
    `The packet filter of ${container} could not be changed (exit code ${exitCode}): ${output.trim().slice(-500)}`,
  )
}
