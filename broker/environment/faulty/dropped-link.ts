/** A link that carries nothing: bytes to or from the peer wait until it heals, new connections do not open. Either direction alone, too. */
import type { Fault } from './fault.ts'

export interface DroppedLink {
  /** Peer's host; left out: every one. */
  readonly host?: string
  /** Peer's port, for connections that this node opens; left out: every one. */
  readonly port?: number
  /** Default: both. */
  readonly direction?: 'in' | 'out'
}

export function droppedLink(options: DroppedLink = {}): Fault {
  const { host, port, direction } = options
  return {
    kind: 'dropped-link',
    summary: `nothing passes ${direction ?? 'in or out'}: ${host ?? 'any host'}${port === undefined ? '' : `:${port}`}`,
    dropsLink(remote, way) {
      if (direction !== undefined && direction !== way) return false
      return (host === undefined || host === remote.host) && (port === undefined || port === remote.port)
    },
  }
}
