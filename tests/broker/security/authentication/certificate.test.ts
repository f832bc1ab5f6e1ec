import { readFileSync } from 'node:fs'
import path from 'node:path'
import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { anonymous } from '#broker/net/principal.ts'
import { ProtocolError } from '#broker/protocol/errors.ts'
import { CertificateAuthentication } from '#broker/security/authentication/certificate.ts'
import { PrincipalMapper } from '#broker/security/authentication/mapping-rules.ts'

const fixture = path.join(import.meta.dirname, 'fixtures', 'server.pem')
const certificate = new X509Certificate(readFileSync(fixture)).raw
const requests = { serve: () => [Buffer.from('served')], refuse: () => undefined, answered: () => undefined }

test('a client without a certificate is User:ANONYMOUS', () => {
  const authentication = new CertificateAuthentication(undefined, new PrincipalMapper('DEFAULT'))
  expect(authentication.principal).toBe(anonymous)
  expect(authentication.serve(Buffer.alloc(4), requests)).toEqual([Buffer.from('served')])
})

test('a client is named by its certificate', () => {
  const authentication = new CertificateAuthentication(certificate, new PrincipalMapper('RULE:^CN=(.*?),.*$/$1/'))
  expect(String(authentication.principal)).toBe('User:localhost')
})

test.each([
  ['to which no rule applies', certificate, 'RULE:^OU=(.*)$/$1/', 'no rule of ssl.principal.mapping.rules applies'],
  ['that cannot be read', certificate.subarray(0, 40), 'DEFAULT', 'its certificate cannot be read'],
])('a client with a certificate %s is served nothing, not even as User:ANONYMOUS', (_, bytes, rules, reason) => {
  const authentication = new CertificateAuthentication(bytes, new PrincipalMapper(rules))
  expect(() => authentication.serve(Buffer.alloc(4), requests)).toThrow(ProtocolError)
  expect(() => authentication.serve(Buffer.alloc(4), requests)).toThrow(reason)
})
