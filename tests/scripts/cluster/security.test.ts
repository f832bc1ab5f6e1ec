import { X509Certificate, createPrivateKey } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { resolveListeners } from '#broker/config/listeners.ts'
import { parseBrokerConfig } from '#broker/config/parse.ts'
import { parseProperties } from '#broker/config/properties.ts'
import { composeFile } from '#scripts/cluster/compose/generator.ts'
import { beginUp, ownProcess } from '#scripts/cluster/lifecycle.ts'
import { processNodeProperties } from '#scripts/cluster/process/node-files.ts'
import { makeAuthority, signLeaf, type KeyAndCertificate } from '#scripts/cluster/security/certificates.ts'
import { describeSecurity, toolkitClient, writeClientFiles } from '#scripts/cluster/security/clients.ts'
import { makeSecurity, readSecurity, securityDirectory } from '#scripts/cluster/security/material.ts'
import { firstUserSettings } from '#scripts/cluster/security/node-settings.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { stateDirectory, writeRecord } from '#scripts/cluster/state.ts'
import { Writer } from '#scripts/cluster/wire-format.ts'
import { WireClient } from '#scripts/cluster/wire.ts'
import { variableName } from '#scripts/container/settings.ts'

const hosts = ['127.0.0.1', 'localhost', 'broker-1']

describe('the certificates of a cluster', () => {
  let authority: KeyAndCertificate
  let node: KeyAndCertificate
  let client: KeyAndCertificate
  beforeAll(async () => {
    authority = await makeAuthority('Faultline cluster x')
    node = await signLeaf(authority, { commonName: 'node', hosts })
    client = await signLeaf(authority, { commonName: 'alice', hosts: [] })
  })
  const read = ({ certificate }: KeyAndCertificate) => new X509Certificate(certificate)

  test('are signed by its authority, which alone may sign', () => {
    const ca = read(authority)
    expect(ca.ca).toBe(true)
    for (const leaf of [node, client].map(read)) {
      expect(leaf.ca).toBe(false)
      expect(leaf.checkIssued(ca)).toBe(true)
      expect(leaf.verify(ca.publicKey)).toBe(true)
      expect(Number(leaf.validToDate)).toBeGreaterThan(Date.now() + 5 * 365 * 86_400_000)
      expect(Number(leaf.validFromDate)).toBeLessThan(Date.now())
    }
    expect(read(node).serialNumber).not.toBe(read(client).serialNumber)
  })

  test('belong to the keys beside them', () => {
    for (const pair of [authority, node, client]) {
      expect(pair.key).toContain('-----BEGIN PRIVATE KEY-----')
      expect(read(pair).checkPrivateKey(createPrivateKey(pair.key))).toBe(true)
    }
  })

  test('name every host of the nodes, and no client is a server', () => {
    expect(read(node).checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(read(node).checkHost('broker-1')).toBe('broker-1')
    expect(read(node).checkHost('elsewhere')).toBeUndefined()
    const serverAuth = '1.3.6.1.5.5.7.3.1'
    expect(read(node).keyUsage).toContain(serverAuth)
    expect(read(client).keyUsage).not.toContain(serverAuth)
    expect(read(client).subject).toBe('CN=alice')
  })

  test('let a client in that trusts the authority, and only such a one', async () => {
    const server = createTlsServer({
      key: node.key,
      cert: node.certificate,
      ca: authority.certificate,
      requestCert: true,
    })
    const seen = new Promise<unknown>(resolve =>
      server.once('secureConnection', socket => {
        resolve(socket.getPeerCertificate().subject.CN)
        socket.on('error', () => undefined)
      }),
    )
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const at = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
    const own = { key: client.key, cert: client.certificate }
    try {
      const open = await WireClient.open(at, { ssl: { ca: [authority.certificate], ...own } })
      expect(await seen).toBe('alice')
      open.close()
      const other = await makeAuthority('somebody else')
      await expect(WireClient.open(at, { ssl: { ca: [other.certificate] } })).rejects.toThrow(/self-signed|unable to/)
    } finally {
      server.close()
    }
  })
})

describe('a secured cluster', () => {
  let home = ''
  beforeEach(() => {
    home = mkdtempSync(path.join(tmpdir(), 'faultline-security-'))
    process.env['FAULTLINE_HOME'] = home
  })
  afterEach(() => {
    delete process.env['FAULTLINE_HOME']
    rmSync(home, { recursive: true, force: true })
  })
  const specOf = (security: string) => clusterSpec({ name: 'a', runtime: 'process', security })
  const bootstrap = ['127.0.0.1:9092', '127.0.0.1:9093']
  const file = (name: string) => path.join(securityDirectory('a'), name)

  test('of the kind none has no secrets', async () => {
    expect(await makeSecurity(specOf('none'), hosts)).toBeUndefined()
    expect(readSecurity(specOf('none'))).toBeUndefined()
    expect(specOf('none')).not.toHaveProperty('security')
  })

  test.each(['sasl', 'tls', 'mtls', 'sasl-tls'])('of the kind %s keeps its secrets to its owner', async kind => {
    const security = await makeSecurity(specOf(kind), hosts)
    if (security === undefined) throw new Error('no secrets')
    writeClientFiles(security, bootstrap)
    expect(statSync(securityDirectory('a')).mode & 0o777).toBe(0o700)
    const document = describeSecurity(security)
    const files = Object.values(document.clients).flatMap(({ java, librdkafka, kafkajs }) => [
      java,
      librdkafka,
      kafkajs,
    ])
    expect(files).toHaveLength(kind === 'tls' ? 3 : 6)
    for (const each of files) expect(statSync(each).mode & 0o777).toBe(0o600)
  })

  test('keeps its secrets when it goes on', async () => {
    const first = await makeSecurity(specOf('sasl-tls'), hosts)
    expect(await makeSecurity(specOf('sasl-tls'), hosts)).toEqual(first)
    expect(first?.passwords.size).toBe(3)
    expect(new Set(first?.passwords.values()).size).toBe(3)
  })

  test('whose keys are gone says so', async () => {
    await makeSecurity(specOf('mtls'), hosts)
    rmSync(file('node.pem'))
    expect(() => readSecurity(specOf('mtls'))).toThrow('node.pem is missing')
  })

  test('does not take over data that know nothing of its users', async () => {
    const data = path.join(home, 'data')
    const spec = clusterSpec({ name: 'a', runtime: 'process', security: 'sasl', dataDir: data })
    mkdirSync(path.join(data, 'node-2'), { recursive: true })
    writeFileSync(path.join(data, 'node-2', 'meta.properties'), 'version=1\n')
    await expect(makeSecurity(spec, hosts)).rejects.toThrow('without the users that --security sasl makes')
  })

  test('goes on with the security that it had', async () => {
    mkdirSync(stateDirectory('a'), { recursive: true })
    const owner = await ownProcess()
    writeRecord({ version: 1, spec: specOf('sasl'), clusterId: 'id', phase: 'down', owner, foreignData: [] })
    await expect(beginUp(specOf('none'))).rejects.toThrow(/another shape: .* --security sasl/)
    expect(await beginUp(specOf('sasl'))).toMatchObject({ spec: { security: 'sasl' } })
  })

  test.each([
    ['sasl', 'SASL_PLAINTEXT'],
    ['tls', 'SSL'],
    ['mtls', 'SSL'],
    ['sasl-tls', 'SASL_SSL'],
  ])('of the kind %s secures every listener with %s', async (kind, protocol) => {
    const spec = specOf(kind)
    const security = await makeSecurity(spec, hosts)
    const { config, unknown } = parseBrokerConfig(new Map(Object.entries(processNodeProperties(spec, 1, security))))
    expect(unknown).toEqual([])
    const listeners = resolveListeners(config)
    expect([...listeners.broker, ...listeners.controller].map(({ securityProtocol }) => securityProtocol)).toEqual([
      protocol,
      protocol,
    ])
    expect([listeners.interBrokerProtocol, listeners.controllerProtocol]).toEqual([protocol, protocol])
    expect(config['ssl.client.auth']).toBe(kind === 'mtls' ? 'required' : 'none')
    expect(config['super.users']).toBe(kind === 'tls' ? '' : 'User:node;User:admin')
    expect(config['authorizer.class.name'] !== '').toBe(kind !== 'tls')
  })

  test('makes its users when storage is formatted, but not the one that nodes are', async () => {
    const security = await makeSecurity(specOf('sasl'), hosts)
    const password = (name: string) => security?.passwords.get(name) ?? ''
    const users = ['admin', 'alice'].flatMap(name =>
      ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map(each => `${each}=[name=${name},password=${password(name)}]`),
    )
    expect(firstUserSettings(security)).toEqual({ 'bootstrap.scram.credentials': users.join(';') })
    expect(
      firstUserSettings(await makeSecurity(clusterSpec({ name: 'b', runtime: 'process', security: 'tls' }), hosts)),
    ).toEqual({})
  })

  test('tells each kind of client what it needs to connect', async () => {
    const security = await makeSecurity(specOf('sasl-tls'), hosts)
    if (security === undefined) throw new Error('no secrets')
    writeClientFiles(security, bootstrap)
    const password = security.passwords.get('alice') ?? ''
    const java = parseProperties(readFileSync(file('alice.properties'), 'utf8'))
    expect(Object.fromEntries(java)).toEqual({
      'bootstrap.servers': bootstrap.join(','),
      'security.protocol': 'SASL_SSL',
      'sasl.mechanism': 'SCRAM-SHA-512',
      'sasl.jaas.config': `org.apache.kafka.common.security.scram.ScramLoginModule required username="alice" password="${password}";`,
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': file('ca.pem'),
    })
    expect(readFileSync(file('alice.kcat.conf'), 'utf8').split('\n')).toEqual(
      expect.arrayContaining([
        'sasl.mechanism=PLAIN',
        `sasl.password=${password}`,
        `ssl.ca.location=${file('ca.pem')}`,
      ]),
    )
    expect(JSON.parse(readFileSync(file('alice.kafkajs.json'), 'utf8'))).toEqual({
      brokers: bootstrap,
      ssl: { ca: [readFileSync(file('ca.pem'), 'utf8')] },
      sasl: { mechanism: 'scram-sha-512', username: 'alice', password },
    })
    expect(toolkitClient(security).sasl).toMatchObject({ mechanism: 'plain', username: 'admin' })
  })

  test('hands its keys to containers whole, whatever YAML and Compose make of lines and dollars', async () => {
    const spec = clusterSpec({ name: 'a', runtime: 'compose', brokers: 1, security: 'mtls' })
    const security = await makeSecurity(spec, hosts)
    const text = composeFile(spec, { title: ['x'], project: 'p', clusterId: 'id', security })
    const value = (setting: string): unknown => {
      const [, quoted = ''] = new RegExp(`^ +${variableName(setting)}: (.*)$`, 'm').exec(text) ?? []
      const plain = quoted.startsWith('"') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1)
      return plain.replaceAll('$$', '$')
    }
    expect(value('ssl.keystore.key')).toBe(security?.node?.key)
    expect(value('ssl.truststore.certificates')).toBe(security?.authority?.certificate)
    expect(value('ssl.principal.mapping.rules')).toBe('RULE:^CN=(.*)$/$1/')
    expect(value('listener.security.protocol.map')).toBe('CONTROLLER:SSL,SSL:SSL,SSL_HOST:SSL')
  })
})

describe('the login of the wire client', () => {
  const sockets: Socket[] = []
  const servers: { close(): void }[] = []
  afterAll(() => {
    for (const socket of sockets) socket.destroy()
    for (const server of servers) server.close()
  })

  /** A broker that answers SaslHandshake, and knows one token. */
  async function broker(expected: string): Promise<{ host: string; port: number }> {
    const server = createServer(socket => {
      sockets.push(socket)
      socket.on('data', (frame: Buffer) => {
        const isHandshake = frame.readInt16BE(4) === 17
        const isRight = frame.subarray(-Buffer.byteLength(expected)).toString() === expected
        const body = new Writer().int32(frame.readInt32BE(8)).int16(isHandshake || isRight ? 0 : 58)
        if (isHandshake) body.array(['PLAIN'], (name, writer) => writer.string(name))
        else body.string(isRight ? '' : 'who are you').int32(0)
        const bytes = body.toBuffer()
        socket.write(new Writer().int32(bytes.length).bytes(bytes).toBuffer())
      })
    })
    servers.push(server)
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  }

  test('says user and password before anything else', async () => {
    const at = await broker('\0admin\0secret')
    const client = await WireClient.open(at, { sasl: { mechanism: 'plain', username: 'admin', password: 'secret' } })
    expect(client.isOpen).toBe(true)
    client.close()
  })

  test('that is refused says why', async () => {
    const at = await broker('\0admin\0secret')
    const wrong = { mechanism: 'plain', username: 'admin', password: 'guess' } as const
    await expect(WireClient.open(at, { sasl: wrong })).rejects.toThrow('login as admin refused: error 58 who are you')
  })
})
