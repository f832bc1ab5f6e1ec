/** Key stores of every form, names of certificates as Java writes them, mapping rules, cipher suites. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseBrokerConfig } from '#broker/config/parse.ts'
import { nodeEnvironment } from '#broker/environment/node/node-environment.ts'
import { openSslName } from '#broker/security/authentication/cipher-suites.ts'
import { DerError, readDer } from '#broker/security/authentication/der.ts'
import { subjectOf } from '#broker/security/authentication/distinguished-name.ts'
import { pemCertificates, pemPrivateKey, readKeyStore } from '#broker/security/authentication/key-store.ts'
import { PrincipalMapper } from '#broker/security/authentication/mapping-rules.ts'
import { KeyStoreError } from '#broker/security/authentication/store-content.ts'
import { tlsClient, tlsServer } from '#broker/security/authentication/tls-material.ts'

const folder = path.join(import.meta.dirname, 'fixtures')
const file = (name: string): string => path.join(folder, name)
const bytes = (name: string): Buffer => readFileSync(file(name))
const der = (name: string): Buffer => new X509Certificate(bytes(name)).raw

describe('a key store', () => {
  const privateKey = pemPrivateKey(bytes('server.key').toString(), '')

  it.each(['server.p12', 'server-3des.p12', 'server.jks'])(
    '%s yields the key and the chain, own certificate first',
    name => {
      const { keys, trusted } = readKeyStore(bytes(name), 'secret')
      expect(keys).toHaveLength(1)
      expect(keys[0]?.chain).toEqual([der('server.pem'), der('ca.pem')])
      const text = `-----BEGIN PRIVATE KEY-----\n${keys[0]?.privateKey.toString('base64')}\n-----END PRIVATE KEY-----`
      expect(pemPrivateKey(text, '')).toBe(privateKey)
      expect(trusted).toEqual([])
    },
  )

  it.each(['trust.p12', 'trust.jks'])('%s yields what is trusted', name => {
    expect(readKeyStore(bytes(name), 'secret')).toEqual({ keys: [], trusted: [der('ca.pem')] })
  })

  it.each(['server.p12', 'server-3des.p12', 'server.jks', 'trust.p12', 'trust.jks'])(
    '%s opens to its password alone',
    name => {
      expect(() => readKeyStore(bytes(name), 'Secret')).toThrow('password is wrong')
    },
  )

  it('that is damaged is refused, never misread', () => {
    const whole = bytes('server.p12')
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Buffer.from(whole)
        damaged[at] = (damaged[at] ?? 0) ^ change
        try {
          expect(readKeyStore(damaged, 'secret').keys[0]?.chain[0]).toEqual(der('server.pem'))
        } catch (error) {
          if (!(error instanceof KeyStoreError)) throw error
        }
      }),
      { numRuns: 60 },
    )
    expect(() => readKeyStore(Buffer.from('hello'), 'secret')).toThrow(KeyStoreError)
    expect(() => readKeyStore(Buffer.alloc(0), 'secret')).toThrow(KeyStoreError)
  })
})

describe('PEM', () => {
  it('may stand on one line, as in a properties file', () => {
    const oneLine = bytes('server-both.pem').toString().replaceAll('\n', ' ')
    expect(pemCertificates(oneLine)).toEqual([new X509Certificate(bytes('server.pem')).toString()])
    expect(pemPrivateKey(oneLine, '')).toBe(pemPrivateKey(bytes('server.key').toString(), ''))
  })

  it('of an encrypted key opens to its password alone', () => {
    const text = bytes('server-encrypted.key').toString()
    expect(pemPrivateKey(text, 'secret')).toBe(pemPrivateKey(bytes('server.key').toString(), ''))
    expect(() => pemPrivateKey(text, 'wrong')).toThrow(KeyStoreError)
    expect(() => pemPrivateKey(text, '')).toThrow('ssl.key.password')
  })
})

describe('DER', () => {
  it('is read or refused, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), input => {
        try {
          const node = readDer(Buffer.from(input))
          expect(node.whole.length).toBeLessThanOrEqual(input.length)
          void node.children
        } catch (error) {
          if (!(error instanceof DerError)) throw error
        }
      }),
    )
  })
})

describe('the name in a certificate', () => {
  it('is written as Java writes it (X500Principal.getName)', () => {
    // Output of that method for this certificate.
    expect(subjectOf(der('client.pem'))).toBe(
      String.raw`1.2.840.113549.1.9.1=#16056140622e63,CN=alice,OU=R\+D,O=Acme\, Inc.,ST=Hessen,C=DE`,
    )
    expect(subjectOf(der('server.pem'))).toBe('CN=localhost,O=Faultline')
  })
})

describe('ssl.principal.mapping.rules', () => {
  const name = 'CN=Alice,OU=ServiceUsers,O=Unknown,L=Unknown,ST=Unknown,C=Unknown'

  it.each([
    ['DEFAULT', name],
    ['', name],
    ['RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/', 'Alice'],
    ['RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L', 'alice'],
    ['RULE:^CN=(.*?),OU=Other.*$/$1/,RULE:^CN=(.*?),OU=(.*?),O=.*$/$1@$2/U', 'ALICE@SERVICEUSERS'],
    ['RULE:^CN=(.*?),OU=Other.*$/$1/ , DEFAULT', name],
    [String.raw`RULE:^CN=(.*?),.*$/a\/$1/L`, 'a/alice'],
    ['RULE:^CN=(.*?)$/fixed/', 'fixed'],
    // What Kafka’s SslPrincipalMapper makes of numbers that name no group, or more than one digit.
    ['RULE:^CN=(.*?),OU=(.*?),O=.*$/$1@$4/', 'Alice@$4'],
    ['RULE:^CN=(.*?),OU=(.*?),O=.*$/$10x/', 'Alice0x'],
    ['RULE:^CN=(.*?),OU=(.*?),O=.*$/$01/', 'Alice'],
    ['RULE:^CN=(.*?),OU=(.*?),O=.*$/$34/', '$34'],
    ['RULE:^CN=(.*?),OU=(Z)?.*$/[$2]/', '[]'],
    [String.raw`RULE:^CN=(.*?),OU=(.*?),O=.*$/\$1-$2/`, '$1-ServiceUsers'],
  ])('%s', (rules, expected) => {
    expect(new PrincipalMapper(rules).nameOf(name)).toBe(expected)
  })

  it('without a rule that fits give no name', () => {
    expect(new PrincipalMapper('RULE:^CN=(.*?),OU=Other.*$/$1/').nameOf(name)).toBeUndefined()
  })

  it.each(['RULE:abc', 'DEFAULTS', 'RULE:(/x/', 'RULE:a/b/X', 'DEFAULT,,RULE:a/b/', 'RULE:^CN=.*$/$1/'])(
    'refuse %s',
    rules => {
      expect(() => new PrincipalMapper(rules)).toThrow()
    },
  )
})

describe('cipher suites', () => {
  it.each([
    ['TLS_AES_256_GCM_SHA384', 'TLS_AES_256_GCM_SHA384'],
    ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
    ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
    ['TLS_RSA_WITH_AES_256_CBC_SHA', 'AES256-SHA'],
    ['TLS_DHE_RSA_WITH_AES_256_CBC_SHA256', 'DHE-RSA-AES256-SHA256'],
    ['ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ])('%s is %s to OpenSSL', (theirs, ours) => {
    expect(openSslName(theirs)).toBe(ours)
  })
})

describe('the settings of a listener', () => {
  const { disk } = nodeEnvironment()
  const secure = { name: 'SECURE', securityProtocol: 'SSL' } as const
  const config = (given: Readonly<Record<string, string>>) =>
    parseBrokerConfig(
      new Map(
        Object.entries({
          'process.roles': 'broker,controller',
          'node.id': '1',
          'controller.quorum.voters': '1@localhost:9093',
          listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093,SECURE://:9094',
          'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SSL',
          ...given,
        }),
      ),
    ).config

  it.each([
    [{ 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': file('server-both.pem') }],
    [{ 'ssl.keystore.type': 'PKCS12', 'ssl.keystore.location': file('server.p12'), 'ssl.keystore.password': 'secret' }],
    [{ 'ssl.keystore.location': file('server.jks'), 'ssl.keystore.password': 'secret' }],
    [
      {
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.key': bytes('server-encrypted.key').toString(),
        'ssl.keystore.certificate.chain': bytes('server.pem').toString(),
        'ssl.key.password': 'secret',
      },
    ],
  ])('%j are a key', settings => {
    const tls = tlsServer(config(settings), secure, disk)
    expect(tls.privateKey).toBe(pemPrivateKey(bytes('server.key').toString(), ''))
    expect(pemCertificates(tls.certificateChain ?? '')[0]).toBe(new X509Certificate(bytes('server.pem')).toString())
    expect([tls.minVersion, tls.maxVersion, tls.clientAuth]).toEqual(['TLSv1.2', 'TLSv1.3', 'none'])
  })

  it('ask clients of SASL_SSL for certificates only where they name that listener (KIP-684)', () => {
    const own = { 'ssl.keystore.location': file('server-both.pem'), 'ssl.client.auth': 'required' }
    const listener = { name: 'SECURE', securityProtocol: 'SASL_SSL' } as const
    expect(tlsServer(config(own), listener, disk).clientAuth).toBe('none')
    expect(tlsServer(config(own), secure, disk).clientAuth).toBe('required')
    const named = { ...own, 'listener.name.secure.ssl.client.auth': 'requested' }
    expect(tlsServer(config(named), listener, disk).clientAuth).toBe('requested')
  })

  it('go before those of all listeners', () => {
    const settings = config({
      'ssl.keystore.location': file('server-both.pem'),
      'ssl.client.auth': 'requested',
      'listener.name.secure.ssl.client.auth': 'required',
      'listener.name.secure.ssl.enabled.protocols': 'TLSv1.3',
      'listener.name.secure.ssl.truststore.location': file('trust.p12'),
      'listener.name.secure.ssl.truststore.password': 'secret',
      'listener.name.secure.ssl.endpoint.identification.algorithm': '',
    })
    const tls = tlsServer(settings, secure, disk)
    expect([tls.clientAuth, tls.minVersion]).toEqual(['required', 'TLSv1.3'])
    expect(pemCertificates(tls.trusted?.[0] ?? '')).toEqual([new X509Certificate(bytes('ca.pem')).toString()])
    expect(tlsServer(settings, { name: 'OTHER', securityProtocol: 'SSL' }, disk).clientAuth).toBe('requested')
    expect(tlsClient(settings, 'SECURE', disk).verifyHost).toBe(false)
    expect(tlsClient(settings, 'OTHER', disk).verifyHost).toBe(true)
  })

  it.each([
    [{}, 'needs a key'],
    [{ 'ssl.keystore.location': file('nothing.p12') }, 'there is no file'],
    [{ 'ssl.keystore.location': file('server.p12'), 'ssl.keystore.password': 'x' }, 'password is wrong'],
    [{ 'ssl.keystore.location': file('trust.p12'), 'ssl.keystore.password': 'secret' }, 'holds no private key'],
    [{ 'ssl.keystore.location': file('server.key') }, 'expected at least one PEM certificate'],
    [{ 'ssl.keystore.location': file('server-both.pem'), 'ssl.keystore.password': 'x' }, 'PEM has no password'],
    [
      {
        'ssl.keystore.location': file('server-both.pem'),
        'ssl.truststore.location': file('ca.pem'),
        'ssl.truststore.password': 'x',
      },
      'PEM has no password',
    ],
  ])('%j cannot work, and the error says why', (settings, reason) => {
    expect(() => tlsServer(config(settings), secure, disk)).toThrow(reason)
  })
})
