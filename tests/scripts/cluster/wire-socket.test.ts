import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { ISocketFactoryArgs } from 'kafkajs'
import { expect, test } from 'vitest'
import { directSocket } from '#scripts/cluster/wire-socket.ts'

test.each([undefined, null])('without TLS (%s, as kafkajs says it) a socket is plain', async ssl => {
  const server = createServer(socket => socket.end('hello')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const connected = Promise.withResolvers<void>()
  const args = { host: '127.0.0.1', port, ssl, onConnect: connected.resolve } as unknown as ISocketFactoryArgs
  const socket = directSocket(args)
  expect(socket).not.toBeInstanceOf(TLSSocket)
  await connected.promise
  const [data] = (await once(socket, 'data')) as [Buffer]
  expect(data.toString()).toBe('hello')
  socket.destroy()
  server.close()
})
