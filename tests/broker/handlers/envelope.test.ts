/** Requests that a broker passes on (KIP-590): which can be, and as whom they are served. */
import { describe, expect, it } from 'vitest'
import { Dispatcher } from '#broker/handlers/dispatch.ts'
import { EnvelopeForwarder } from '#broker/handlers/forwarder.ts'
import type { ConnectionInfo } from '#broker/handlers/handler.ts'
import { handlers } from '#broker/handlers/registry.ts'
import type { Services } from '#broker/handlers/services.ts'
import { Principal, serializePrincipal } from '#broker/net/principal.ts'
import { codec } from '#broker/protocol/codec.ts'
import { errorCode } from '#broker/protocol/errors.ts'
import { decodeResponseHeader, encodeRequestFrame } from '#broker/protocol/headers.ts'
import { messagesOf } from '#broker/protocol/messages/index.ts'
import { envelopeRequest, type EnvelopeRequest, envelopeResponse } from '#broker/protocol/messages/58-envelope.ts'
import { Reader } from '#broker/protocol/reader.ts'
import type { Subject } from '#broker/security/authorization/authorizer.ts'
import { TestNode } from './controller-context.ts'

const envelopeKey = 58
const node = new TestNode()
const asked: Subject[] = []
const authorizer = {
  isLoaded: true,
  authorize: ({ principal, clientHost }: Subject) => {
    asked.push({ principal, clientHost })
    return true
  },
}

function framed(apiKey: number, version: number, body: object): Buffer {
  const messages = messagesOf(apiKey)
  if (messages === undefined) throw new Error(`no messages of ${apiKey}`)
  const header = { version, correlationId: 7, clientId: 'client' }
  return Buffer.concat(encodeRequestFrame(header, messages.request, body as never)).subarray(4)
}

async function sendEnvelope(requestData: Buffer, clientHostAddress = Buffer.from([10, 0, 0, 1])) {
  const dispatcher = new Dispatcher(node.time.environment, node.config, handlers)
  const services = {
    quorum: node.quorum,
    dispatch: dispatcher,
    authorizer,
    controller: node.controller,
    metadata: () => node.publisher.image,
  }
  dispatcher.attach(services as unknown as Services)
  const connection = {
    listenerName: 'CONTROLLER',
    listenerKind: 'controller',
    clientHost: '10.9.9.9',
    principal: new Principal('User', 'broker'),
    clientSoftware: { name: 'test', version: '1' },
  } as unknown as ConnectionInfo
  const requestPrincipal = serializePrincipal(new Principal('User', 'alice'))
  const frame = framed(envelopeKey, 0, { requestData, requestPrincipal, clientHostAddress })
  const reply = Buffer.concat((await dispatcher.serve(frame, connection)) ?? [])
  const reader = new Reader(reply.subarray(4))
  decodeResponseHeader(reader, { key: envelopeKey, version: 0 })
  return codec(envelopeResponse, 0).decode(reader)
}

const createTopics = framed(19, 7, { topics: [], timeoutMs: 1000, validateOnly: true })

describe('an Envelope', () => {
  it('is served as the client that it names, at its address', async () => {
    asked.length = 0
    const address = Buffer.from('20010db8000000000000000000000001', 'hex')
    const { errorCode: error, responseData } = await sendEnvelope(createTopics, address)
    expect(error).toBe(0)
    expect(responseData?.readInt32BE(0)).toBe(7)
    expect(asked.map(({ principal, clientHost }) => `${String(principal)} ${clientHost}`)).toEqual([
      'User:broker 10.9.9.9',
      'User:alice 2001:db8:0:0:0:0:0:1',
    ])
  })

  it.each([
    ['a request that brokers do not forward', framed(3, 12, { topics: [], allowAutoTopicCreation: false })],
    [
      'another Envelope',
      framed(envelopeKey, 0, {
        requestData: createTopics,
        requestPrincipal: serializePrincipal(new Principal('User', 'mallory')),
        clientHostAddress: Buffer.from([10, 0, 0, 1]),
      }),
    ],
    ['one byte', Buffer.alloc(1)],
  ])('with %s is refused', async (_, requestData) => {
    const response = await sendEnvelope(requestData)
    expect(response).toMatchObject({ errorCode: errorCode('INVALID_REQUEST'), responseData: null })
  })

  it('without an address of the client is refused', async () => {
    const response = await sendEnvelope(createTopics, Buffer.alloc(3))
    expect(response).toMatchObject({ errorCode: errorCode('INVALID_REQUEST'), responseData: null })
  })
})

describe('a broker that forwards', () => {
  it.each([
    ['2001:db8:0:0:0:0:0:1', '20010db8000000000000000000000001'],
    ['10.1.2.3', '0a010203'],
    ['a-simulated-host', '00000000'],
  ])('tells the address %s as it is', async (clientHost, hex) => {
    const sent: EnvelopeRequest[] = []
    const client = {
      send: (_to: object, _key: number, body: EnvelopeRequest) => {
        sent.push(body)
        return Promise.resolve({ response: { errorCode: 0, responseData: Buffer.alloc(0) }, version: 0 })
      },
      close: () => undefined,
    }
    const quorum = { leaderAddress: () => ({ host: 'h', port: 1 }), onLeaderChange: () => () => undefined }
    const { environment } = node.time
    const forwarder = new EnvelopeForwarder(environment, client as never, quorum as never, 1000)
    const connection = {
      clientHost,
      principal: new Principal('User', 'alice'),
      isOpen: () => true,
    } as unknown as ConnectionInfo
    await forwarder.forward({ frame: createTopics, connection })
    expect(sent.map(({ clientHostAddress }) => clientHostAddress.toString('hex'))).toEqual([hex])
    expect(codec(envelopeRequest, 0).encodeToBuffer(sent[0] as never).length).toBeGreaterThan(0)
  })
})
