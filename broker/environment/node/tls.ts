/**
 * TLS of the real machine. Certificates of clients are judged here, after the handshake, rather than by OpenSSL during it: Node either takes
 * everyone or refuses clients without a certificate too, and Kafka's ssl.client.auth=requested lies between the two.
 */
import { isIP, type Server } from 'node:net'
import type { ConnectionOptions, SecureContextOptions, TLSSocket } from 'node:tls'
import type { Address, Logger, Socket, TlsClient, TlsMaterial, TlsServer } from '../environment.ts'
import { NetworkError } from '../environment.ts'
import { NodeSocket, plainAddress, writeQueueBytes } from './socket.ts'

/** Loaded by the first use: it costs 5 MB of memory, and most nodes of a test cluster have no TLS. */
const nodeTls = () => process.getBuiltinModule('node:tls')

export interface TlsListening {
  readonly server: Server
  /** Throws NetworkError TLS when the material cannot be used. */
  renew(tls: TlsServer): void
}

function contextOptions(tls: TlsMaterial): SecureContextOptions {
  return {
    ...(tls.privateKey === undefined ? {} : { key: tls.privateKey }),
    ...(tls.certificateChain === undefined ? {} : { cert: tls.certificateChain }),
    ...(tls.trusted === undefined ? {} : { ca: [...tls.trusted] }),
    ...(tls.cipherSuites === undefined ? {} : { ciphers: tls.cipherSuites.join(':') }),
    minVersion: tls.minVersion,
    maxVersion: tls.maxVersion,
  }
}

/** Throws NetworkError TLS, so that keys nobody can use are found before they replace others. */
function checked(tls: TlsMaterial): SecureContextOptions {
  const options = contextOptions(tls)
  try {
    nodeTls().createSecureContext(options)
  } catch (error) {
    throw unusable(error)
  }
  return options
}

function unusable(error: unknown): NetworkError {
  return new NetworkError('TLS', `the TLS keys and certificates cannot be used: ${(error as Error).message}`, error)
}

export function createTlsServer(log: Logger, tls: TlsServer, accept: (socket: Socket) => void): TlsListening {
  let { clientAuth } = tls
  const server = nodeTls().createServer({
    ...checked(tls),
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: tls.handshakeTimeoutMs,
    noDelay: true,
    keepAlive: true,
    allowHalfOpen: true,
    highWaterMark: writeQueueBytes,
  })
  // A listener that asks nobody for a certificate must not offer to take one.
  const asking = server as unknown as { requestCert: boolean }
  asking.requestCert = clientAuth !== 'none'
  server.on('secureConnection', (socket: TLSSocket) => {
    const remote = { host: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 }
    const certificate = clientAuth === 'none' ? undefined : socket.getPeerX509Certificate()?.raw
    const refusal = refusalOf(socket, clientAuth, certificate)
    if (refusal === undefined) return accept(new NodeSocket(socket, remote, certificate))
    log.warn('refused a TLS client', { client: `${remote.host}:${remote.port}`, reason: refusal })
    socket.destroy()
  })
  server.on('tlsClientError', (error, socket) => {
    const client = `${plainAddress(socket.remoteAddress)}:${socket.remotePort ?? 0}`
    log.warn('a TLS handshake failed', { client, reason: error.message })
    socket.destroy()
  })
  return {
    server,
    renew: next => {
      server.setSecureContext(checked(next))
      clientAuth = next.clientAuth
      asking.requestCert = clientAuth !== 'none'
    },
  }
}

function refusalOf(
  socket: TLSSocket,
  clientAuth: TlsServer['clientAuth'],
  certificate: Buffer | undefined,
): string | undefined {
  if (clientAuth === 'none') return undefined
  if (certificate === undefined) return clientAuth === 'required' ? 'it has shown no certificate' : undefined
  return socket.authorized ? undefined : `its certificate is not trusted: ${String(socket.authorizationError)}`
}

export function connectTls(options: ConnectionOptions, address: Address, tls: TlsClient): TLSSocket {
  try {
    return nodeTls().connect({
      ...options,
      ...contextOptions(tls),
      // The name is sent too, for servers with several certificates; an address is not a name.
      ...(isIP(address.host) === 0 ? { servername: address.host } : {}),
      rejectUnauthorized: true,
      ...(tls.verifyHost ? {} : { checkServerIdentity: () => undefined }),
    })
  } catch (error) {
    throw unusable(error)
  }
}
