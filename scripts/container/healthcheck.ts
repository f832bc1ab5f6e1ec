/**
 * The health check of the image: exit code 0 when this node is unfenced and serves. A broker must name itself among the live brokers of
 * the cluster (the controller lists only unfenced ones), asked on its own listener; a controller must answer on its listener. Where all its
 * listeners are secured, it is asked through its inspector (inspector.listener), and without one only whether it takes connections.
 */
import { existsSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import type { Endpoint } from '../cluster/wire.ts'
import { WireClient } from '../cluster/wire.ts'
import { describeQuorum, metadata } from '../cluster/wire-requests.ts'
import { messageOf } from '../errors.ts'
import { containerSettings, mountedFile } from './settings.ts'

const TIMEOUT_MS = 2_500

export interface OwnListener extends Endpoint {
  readonly isSecured: boolean
}

/** The listener of the given kind, as seen from inside the container: one without security, if there is one. */
export function ownListener(
  settings: Readonly<Record<string, string>>,
  kind: 'broker' | 'controller',
): OwnListener | undefined {
  const all = ownListeners(settings, kind)
  return all.find(({ isSecured }) => !isSecured) ?? all[0]
}

function ownListeners(settings: Readonly<Record<string, string>>, kind: 'broker' | 'controller'): OwnListener[] {
  const protocols = new Map(
    (settings['listener.security.protocol.map'] ?? '').split(',').map(entry => {
      const [name = '', protocol = ''] = entry.split(':').map(part => part.trim().toUpperCase())
      return [name, protocol] as const
    }),
  )
  const found: OwnListener[] = []
  const controllers = (settings['controller.listener.names'] ?? '').split(',').map(name => name.trim())
  for (const listener of (settings['listeners'] ?? '').split(',')) {
    const match = /^\s*([A-Za-z][\w-]*):\/\/(.*):(\d+)\s*$/.exec(listener)
    if (match === null || controllers.includes(match[1] ?? '') !== (kind === 'controller')) continue
    const host = addressIn(match[2] ?? '')
    const name = (match[1] ?? '').toUpperCase()
    // A name without an entry is the name of a protocol; only CONTROLLER is PLAINTEXT by default.
    const protocol = protocols.get(name) ?? (name === 'CONTROLLER' ? 'PLAINTEXT' : name)
    found.push({ host, port: Number(match[3]), isSecured: protocol !== 'PLAINTEXT' })
  }
  return found
}

/** Where to connect for a listener that is bound there. */
function addressIn(bound: string): string {
  const host = bound.replaceAll(/[[\]]/g, '')
  return ['', '0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host
}

/** Undefined when healthy, else what is wrong. */
async function check(settings: Readonly<Record<string, string>>): Promise<string | undefined> {
  const isBroker = (settings['process.roles'] ?? '').includes('broker')
  const endpoint = ownListener(settings, isBroker ? 'broker' : 'controller')
  if (endpoint === undefined) return `no listener found in ${settings['listeners'] ?? 'nothing'}`
  if (endpoint.isSecured) return await checkSecured(settings, endpoint)
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

/** Without keys and passwords: those of the settings are the node's own, and may be of any kind. */
async function checkSecured(
  settings: Readonly<Record<string, string>>,
  endpoint: Endpoint,
): Promise<string | undefined> {
  const inspector = /^(.*):(\d+)$/.exec(settings['inspector.listener'] ?? '')
  if (inspector === null) return await takesConnections(endpoint)
  const response = await fetch(`http://${addressIn(inspector[1] ?? '')}:${inspector[2]}/health`)
  const text = await response.text()
  return response.ok ? undefined : text.trim()
}

function takesConnections({ host, port }: Endpoint): Promise<undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port }, () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.once('error', reject)
  })
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
