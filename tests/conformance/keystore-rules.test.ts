/** Keys of a listener that are exchanged while it runs: what a new certificate must have of the former one (KIP-978), without a restart. */
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeAuthority, signLeaf, type KeyAndCertificate } from '#scripts/cluster/security/certificates.ts'
import { errorName } from '#broker/protocol/errors.ts'
import { isReference, oursAlone } from './engine.ts'
import { eventually, freePort, startCluster, type Cluster } from './harness.ts'
import { RawClient } from './raw-client.ts'

const host = '127.0.0.1'
const incrementalAlterConfigs = 44
const names = ['localhost', host]

describe('the keys of a listener', () => {
  let cluster: Cluster
  let authority: KeyAndCertificate
  let secured: number

  const make = (commonName: string, hosts: readonly string[]) => signLeaf(authority, { commonName, hosts })

  /** The settings of the listener SECURED with these keys. */
  const keys = ({ key, certificate }: KeyAndCertificate): Readonly<Record<string, string>> => ({
    'listener.name.secured.ssl.keystore.type': 'PEM',
    'listener.name.secured.ssl.keystore.key': key,
    'listener.name.secured.ssl.keystore.certificate.chain': certificate,
    'listener.name.secured.ssl.truststore.type': 'PEM',
    'listener.name.secured.ssl.truststore.certificates': authority.certificate,
  })

  async function alter(changes: Readonly<Record<string, string>>): Promise<string> {
    const client = new RawClient(cluster.broker().port)
    const configs = Object.entries(changes).map(([name, value]) => ({ name, value, configOperation: 0 }))
    const resources = [{ resourceType: 4, resourceName: '1', configs }]
    try {
      const { responses } = await client.send<{
        responses: { errorCode: number; errorMessage: string | null }[]
      }>(incrementalAlterConfigs, { resources, validateOnly: false })
      return errorName(responses[0]?.errorCode ?? -1)
    } finally {
      client.close()
    }
  }

  /** Names in the certificate that a new connection is shown; undefined while nobody is there. */
  const shown = (): Promise<string | undefined> =>
    new Promise(resolve => {
      const socket = connect({ port: secured, host, rejectUnauthorized: false }, () => {
        resolve(socket.getPeerX509Certificate()?.subjectAltName)
        socket.destroy()
      })
      socket.once('error', () => resolve(undefined))
    })

  beforeAll(async () => {
    cluster = await startCluster()
    authority = await makeAuthority('an authority')
    secured = await freePort()
    const { port, controllerPort } = cluster.broker()
    const outcome = await alter({
      ...keys(await make('node', names)),
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SSL',
      listeners: `PLAINTEXT://${host}:${port},CONTROLLER://${host}:${controllerPort},SECURED://${host}:${secured}`,
    })
    if (outcome !== 'NONE') throw new Error(`expected the listener to be added, got ${outcome}`)
    await eventually('the listener serves', shown)
  })
  afterAll(() => cluster?.stop())

  test('may be others with the same subject and names, and with more names', async () => {
    for (const hosts of [names, [...names, 'broker']]) {
      expect(await alter(keys(await make('node', hosts)))).toBe('NONE')
      const last = hosts.at(-1) ?? ''
      await eventually(`${last} is shown`, async () => ((await shown())?.includes(last) === true ? true : undefined))
    }
  })

  test('are refused with another subject or without a name that they had', async () => {
    expect(await alter(keys(await make('other', [...names, 'broker'])))).toBe('INVALID_REQUEST')
    expect(await alter(keys(await make('node', names)))).toBe('INVALID_REQUEST')
    expect(await shown()).toContain('DNS:broker')
  })

  test.skipIf(isReference)(
    oursAlone('are refused when key and certificate do not belong together', 'it takes them'),
    async () => {
      const [one, other] = [await make('node', [...names, 'broker']), await make('node', [...names, 'broker'])]
      expect(await alter(keys({ ...one, key: other.key }))).toBe('INVALID_REQUEST')
      expect(await shown()).toContain('DNS:broker')
    },
  )
})
