/** Listeners of a broker that come and go while it runs (KIP-226): what may be altered, and what clients see of it. */
import { appendFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { errorName, type ErrorName } from '#broker/protocol/errors.ts'
import { eventually, freePort, startCluster, type Cluster } from './harness.ts'
import { RawClient } from './raw-client.ts'

const host = '127.0.0.1'
const incrementalAlterConfigs = 44
const metadata = 3
const brokerResource = 4

type Outcome = { readonly error: ErrorName; readonly message: string }

let cluster: Cluster
let external: number

beforeAll(async () => {
  cluster = await startCluster()
  external = await freePort()
})
afterAll(() => cluster?.stop())

/** @param value  null: what was altered is forgotten */
async function alter(changes: Readonly<Record<string, string | null>>): Promise<Outcome> {
  const client = new RawClient(cluster.broker().port)
  const configs = Object.entries(changes).map(([name, value]) => ({
    name,
    value,
    configOperation: value === null ? 1 : 0,
  }))
  const resources = [{ resourceType: brokerResource, resourceName: '1', configs }]
  try {
    const { responses } = await client.send<{
      responses: { errorCode: number; errorMessage: string | null }[]
    }>(incrementalAlterConfigs, { resources, validateOnly: false })
    return { error: errorName(responses[0]?.errorCode ?? -1), message: responses[0]?.errorMessage ?? '' }
  } finally {
    client.close()
  }
}

/** Those that the broker was started with, and others. */
function listeners(others: Readonly<Record<string, number>> = {}): string {
  const { port, controllerPort } = cluster.broker()
  const own = { PLAINTEXT: port, CONTROLLER: controllerPort }
  return Object.entries({ ...own, ...others })
    .map(([name, its]) => `${name}://${host}:${its}`)
    .join(',')
}

const protocols = (others: string) => `PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,${others}`

/** Whether somebody takes connections there. */
function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

const opened = (port: number) =>
  eventually(`port ${port} takes connections`, async () => (await answers(port)) || undefined)

/** A client that logs in there; whether it may. */
async function logsIn(port: number, password: string): Promise<boolean> {
  const client = new Kafka({
    brokers: [`${host}:${port}`],
    sasl: { mechanism: 'plain', username: 'alice', password },
    logLevel: logLevel.NOTHING,
    connectionTimeout: 60_000,
    authenticationTimeout: 60_000,
    retry: { retries: 0 },
  })
  const admin = client.admin()
  try {
    await admin.connect()
    return true
  } catch (error) {
    if ((error as Error).message.includes('Authentication failed')) return false
    throw error
  } finally {
    await admin.disconnect()
  }
}

const accepted: Outcome = { error: 'NONE', message: '' }

describe('listeners of a running broker', () => {
  test('a listener that was added takes connections at once, after a restart too', async () => {
    const map = protocols('EXTERNAL:PLAINTEXT')
    expect(await answers(external)).toBe(false)
    expect(
      await alter({ 'listener.security.protocol.map': map, listeners: listeners({ EXTERNAL: external }) }),
    ).toEqual(accepted)
    await opened(external)
    await cluster.broker().stop()
    await cluster.broker().start()
    await opened(external)
  })

  test('serves requests, but is advertised to nobody', async () => {
    const client = new RawClient(external)
    const { brokers } = await client.send<{ brokers: unknown[] }>(metadata, {
      topics: [],
      allowAutoTopicCreation: false,
    })
    client.close()
    expect(brokers).toEqual([])
  })

  test('one that is advertised cannot go; without advertised.listeners all are', async () => {
    const { error, message } = await alter({ listeners: listeners() })
    expect(error).toBe('INVALID_REQUEST')
    expect(message).toMatch(/Advertised listeners '.*EXTERNAL.*' must be a subset of listeners '.*'/)
    expect((await alter({ listeners: null })).error).toBe('INVALID_REQUEST')
    await opened(external)
  })

  test('the one between brokers and the one of the quorum cannot go', async () => {
    const others = `EXTERNAL://${host}:${external}`
    const { port, controllerPort } = cluster.broker()
    for (const kept of [`PLAINTEXT://${host}:${port}`, `CONTROLLER://${host}:${controllerPort}`])
      expect((await alter({ listeners: `${kept},${others}` })).error).toBe('INVALID_REQUEST')
  })

  test('an existing one keeps its protocol, its address and its own settings', async () => {
    const others = { EXTERNAL: external }
    const protocol = await alter({
      'listener.security.protocol.map': protocols('EXTERNAL:SASL_PLAINTEXT'),
      'listener.name.external.sasl.enabled.mechanisms': 'PLAIN',
    })
    expect(protocol.error).toBe('INVALID_REQUEST')
    const own = await alter({
      listeners: listeners({ ...others, MORE: await freePort() }),
      'listener.security.protocol.map': protocols('EXTERNAL:PLAINTEXT,MORE:PLAINTEXT'),
      'listener.name.external.connections.max.reauth.ms': '1000',
    })
    expect(own.error).toBe('INVALID_REQUEST')
    expect(own.message).toContain('Configs cannot be updated dynamically for existing listener')
    const elsewhere = await freePort()
    expect(await alter({ listeners: listeners({ EXTERNAL: elsewhere }) })).toEqual(accepted)
    expect(await alter({ listeners: listeners(others) })).toEqual(accepted)
    expect([await answers(elsewhere), await answers(external)]).toEqual([false, true])
  })

  test('two cannot have one port or one name, or a name without a protocol', async () => {
    for (const wrong of [
      listeners({ EXTERNAL: external, MORE: external }),
      `${listeners({ EXTERNAL: external })},EXTERNAL://${host}:${await freePort()}`,
      listeners({ EXTERNAL: external, NOBODY: await freePort() }),
    ])
      expect((await alter({ listeners: wrong })).error).toBe('INVALID_REQUEST')
  })

  test('a removed one closes its connections and takes no more', async () => {
    const { port, files } = cluster.broker()
    appendFileSync(files.propertiesFile, `advertised.listeners=PLAINTEXT://${host}:${port}\n`)
    await cluster.broker().stop()
    await cluster.broker().start()
    await opened(external)
    const open = connect({ host, port: external })
    await new Promise(resolve => open.once('connect', resolve))
    const closed = new Promise(resolve => open.once('close', resolve))
    open.resume()
    expect(await alter({ listeners: listeners() })).toEqual(accepted)
    await closed
    await eventually('nobody takes connections', async () => ((await answers(external)) ? undefined : true))
    expect(await alter({ listeners: listeners({ EXTERNAL: external }) })).toEqual(accepted)
    await opened(external)
  })

  test('a new one asks for the logins that its own settings name', async () => {
    const secured = await freePort()
    const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="wonderland";'
    expect(
      await alter({
        'listener.name.secured.plain.sasl.jaas.config': login,
        'listener.name.secured.sasl.enabled.mechanisms': 'PLAIN',
        'listener.security.protocol.map': protocols('EXTERNAL:PLAINTEXT,SECURED:SASL_PLAINTEXT'),
        listeners: listeners({ EXTERNAL: external, SECURED: secured }),
      }),
    ).toEqual(accepted)
    await opened(secured)
    expect(await logsIn(secured, 'wonderland')).toBe(true)
    expect(await logsIn(secured, 'looking-glass')).toBe(false)
  })

  test('one whose port is in use is accepted, and the broker goes on', async () => {
    const other = createServer()
    await new Promise<void>(resolve => other.listen({ host, port: 0 }, resolve))
    const { port } = other.address() as AddressInfo
    const map = protocols('TAKEN:PLAINTEXT')
    expect(await alter({ 'listener.security.protocol.map': map, listeners: listeners({ TAKEN: port }) })).toEqual(
      accepted,
    )
    // Of the listeners that went with the same change: by then it was made.
    await eventually('the change is made', async () => ((await answers(external)) ? undefined : true))
    expect(await answers(cluster.broker().port)).toBe(true)
    await new Promise(resolve => other.close(resolve))
  })
})
