import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parseProperties } from '#broker/config/properties.ts'
import { makeContainerSecurity } from '#scripts/container/security.ts'

const directory = mkdtempSync(path.join(tmpdir(), 'faultline-container-security-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const read = (file: string): string => readFileSync(path.join(directory, file), 'utf8')

const options = {
  kind: 'sasl-tls',
  listeners: ['SASL_SSL', 'SASL_SSL_HOST'],
  hosts: ['127.0.0.1', 'broker-1'],
  bootstrap: ['127.0.0.1:9092'],
  directory,
}

describe('the secrets of a cluster of containers', () => {
  test('give the nodes users for every listener, and keys where they find them', async () => {
    await makeContainerSecurity(options)
    const settings = parseProperties(read('server.properties'))
    expect(settings.get('ssl.keystore.location')).toBe(path.join(directory, 'node.pem'))
    for (const listener of ['sasl_ssl', 'sasl_ssl_host', 'controller'])
      expect(settings.get(`listener.name.${listener}.plain.sasl.jaas.config`)).toContain('username="node"')
    expect(settings.get('bootstrap.scram.credentials')).toContain('SCRAM-SHA-512=[name=admin,password=')
    expect(settings.get('super.users')).toBe('User:node;User:admin')
    expect(statSync(path.join(directory, 'server.properties')).mode & 0o077).toBe(0)
  })

  test('give clients files that can be copied to any folder', () => {
    expect(read('admin.kcat.conf')).toContain('ssl.ca.location=ca.pem\n')
    expect(read('admin.kcat.conf')).toContain('bootstrap.servers=127.0.0.1:9092\n')
    expect(parseProperties(read('alice.properties')).get('ssl.truststore.location')).toBe('ca.pem')
  })

  test('stay as they are when the containers start again', async () => {
    const files = ['users.json', 'ca.pem', 'node.pem', 'server.properties']
    const before = files.map(read)
    await makeContainerSecurity(options)
    expect(files.map(read)).toEqual(before)
  })

  test('are refused for a kind that is none', async () => {
    await expect(makeContainerSecurity({ ...options, kind: 'none' })).rejects.toThrow(
      '--kind must be one of sasl, tls, mtls, sasl-tls, got "none".',
    )
  })
})
