/**
 * The health check of the image: exit code 0 when this node is unfenced and serves. A broker must name itself among the live brokers of
 * the cluster (the controller lists only unfenced ones), asked on its own listener; a controller must answer on its listener.
 */
import { existsSync, readFileSync } from 'node:fs'
import type { Endpoint } from '../cluster/wire.ts'
import { WireClient } from '../cluster/wire.ts'
import { describeQuorum, metadata } from '../cluster/wire-requests.ts'
import { messageOf } from '../errors.ts'
import { containerSettings, mountedFile } from './settings.ts'

const TIMEOUT_MS = 2_500

/** The listener of the given kind, as seen from inside the container. */
export function ownListener(
  settings: Readonly<Record<string, string>>,
  kind: 'broker' | 'controller',
): Endpoint | undefined {
  const controllers = (settings['controller.listener.names'] ?? '').split(',').map(name => name.trim())
  for (const listener of (settings['listeners'] ?? '').split(',')) {
    const match = /^\s*([A-Za-z][\w-]*):\/\/(.*):(\d+)\s*$/.exec(listener)
    if (match === null || controllers.includes(match[1] ?? '') !== (kind === 'controller')) continue
    const host = (match[2] ?? '').replaceAll(/[[\]]/g, '')
    return { host: ['', '0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host, port: Number(match[3]) }
  }
  return undefined
}

/** Undefined when healthy, else what is wrong. */
async function check(settings: Readonly<Record<string, string>>): Promise<string | undefined> {
  const isBroker = (settings['process.roles'] ?? '').includes('broker')
  const endpoint = ownListener(settings, isBroker ? 'broker' : 'controller')
  if (endpoint === undefined) return `no listener found in ${settings['listeners'] ?? 'nothing'}`
  const client = await WireClient.open(endpoint)
  if (!isBroker) {
    await describeQuorum(client)
    return undefined
  }
  const { brokers } = await metadata(client)
  const id = Number(settings['node.id'] ?? settings['broker.id'])
  return brokers.some(broker => broker.id === id)
    ? undefined
    : `broker ${id} is not unfenced yet; unfenced: ${brokers.map(broker => broker.id).join(', ')}`
}

if (import.meta.main) {
  setTimeout(() => {
    console.error(`no answer within ${TIMEOUT_MS} ms`)
    process.exit(1)
  }, TIMEOUT_MS)
  const settings = containerSettings(
    process.env,
    existsSync(mountedFile) ? readFileSync(mountedFile, 'utf8') : undefined,
  )
  const problem = await check(settings).catch(messageOf)
  if (problem !== undefined) console.error(problem)
  process.exit(problem === undefined ? 0 : 1)
}
