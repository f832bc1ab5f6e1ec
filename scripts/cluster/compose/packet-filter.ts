/**
 * Packets that get lost at the network card of a container. The filter is set from a short-lived container in the same network namespace, which alone
 * has the right to (NET_ADMIN); it ends with the run of the node's container. What a node says to itself is left alone.
 */
import type { Parameters } from '#broker/environment/faulty/parameters.ts'
import { failure } from '../../errors.ts'
import { runBeside } from './container.ts'

/** Resolves when nothing passes any more. */
export async function filterPackets(container: string, parameters: Parameters): Promise<void> {
  await iptables(container, rulesOf(parameters), (chain, match) => `iptables -w -I ${chain} ${match} -j DROP`)
}

/** Also what a command that was cut off did not get to. */
export async function passPackets(container: string, parameters: Parameters): Promise<void> {
  await iptables(container, rulesOf(parameters), (chain, match) => {
    const rule = `${chain} ${match} -j DROP`
    return `{ ! iptables -w -C ${rule} 2>/dev/null || iptables -w -D ${rule}; }`
  })
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
  commandOf: (chain: string, match: string) => string,
): Promise<void> {
  const script = rules.map(([chain, match]) => commandOf(chain, match)).join(' && ')
  const { exitCode, output } = await runBeside(container, ['sh', '-c', script])
  if (exitCode === 0) return
  throw failure(
    `The packet filter of ${container} could not be changed (exit code ${exitCode}): ${output.trim().slice(-500)}`,
  )
}
