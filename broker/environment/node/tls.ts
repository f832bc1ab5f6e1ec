/**
 * TLS of the real machine. Where clients must have a certificate, OpenSSL ends the handshake of those without one, and they get an alert.
 * Whether a certificate is trusted is judged here, after the handshake, as Node does it itself; and Kafka's ssl.client.auth=requested, which
 * lets in who shows none and refuses who shows a wrong one, is none of the ways that Node knows.
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

export function checkTls(tls: TlsMaterial): void {
  checked(tls)
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
  const asking = server as unknown as { requestCert: boolean; rejectUnauthorized: boolean }
  const ask = (): void => {
    asking.requestCert = clientAuth !== 'none'
    asking.rejectUnauthorized = clientAuth === 'required'
  }
  ask()
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
    const refusal = refusalDuring(error, socket)
    if (refusal === undefined) log.warn('a TLS handshake failed', { client, reason: error.message })
    else log.warn('refused a TLS client', { client, reason: refusal })
    socket.destroy()
  })
  return {
    server,
    renew: next => {
      server.setSecureContext(checked(next))
      clientAuth = next.clientAuth
      ask()
    },
  }
}

/** Why a client was turned away for its certificate before its handshake was over; undefined when the handshake failed for another reason. */
function refusalDuring(error: NodeJS.ErrnoException, socket: TLSSocket): string | undefined {
  if (error.code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return noCertificate
  const verdict = socket.authorizationError as Error | string | null | undefined
  return verdict === undefined || verdict === null ? undefined : untrusted(verdict)
}

const noCertificate = 'it has shown no certificate'
const untrusted = (verdict: Error | string): string => `its certificate is not trusted: ${String(verdict)}`

function refusalOf(
  socket: TLSSocket,
  clientAuth: TlsServer['clientAuth'],
  certificate: Buffer | undefined,
): string | undefined {
  if (clientAuth === 'none') return undefined
  if (certificate === undefined) return clientAuth === 'required' ? noCertificate : undefined
  return socket.authorized ? undefined : untrusted(socket.authorizationError)
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
