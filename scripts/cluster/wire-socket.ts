/** The sockets of the toolkit's clients where nobody gives them others: TCP, or TLS when there is something to say about it. */
import { connect, isIP } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ISocketFactoryArgs } from 'kafkajs'

/** As kafkajs makes them itself, which says null where there is to be no TLS, whatever the type of `ssl` is. */
export function directSocket({ host, port, ssl, onConnect }: ISocketFactoryArgs): Socket {
  const options = ssl as ISocketFactoryArgs['ssl'] | null | undefined
  if (options === undefined || options === null) return connect({ host, port, noDelay: true }, onConnect)
  // A server name is a name: with an address there is none to send, and the certificate is checked against the address.
  const named = isIP(host) === 0 ? { servername: host } : {}
  return connectTls({ host, port, ...named, ...options }, onConnect).setNoDelay(true)
}
