import { beforeAll, describe, expect, test } from 'vitest'
import { namesRefusal } from '#broker/security/authentication/certificate-names.ts'
import { makeAuthority, signLeaf, type KeyAndCertificate } from '#scripts/cluster/security/certificates.ts'

describe('a certificate that takes the place of another', () => {
  let authority: KeyAndCertificate
  let former: string
  beforeAll(async () => {
    authority = await makeAuthority('authority')
    former = await certificate('node', '127.0.0.1', 'broker')
  })
  const certificate = async (commonName: string, ...hosts: string[]): Promise<string> =>
    (await signLeaf(authority, { commonName, hosts })).certificate
  const none = { subject: false, alternativeNames: false }

  test('may have another key, and more names', async () => {
    expect(namesRefusal(former, await certificate('node', 'broker', '127.0.0.1'), none)).toBeUndefined()
    expect(namesRefusal(former, await certificate('node', '127.0.0.1', 'broker', 'more'), none)).toBeUndefined()
  })

  test('has the same subject, unless ssl.allow.dn.changes', async () => {
    const next = await certificate('other', '127.0.0.1', 'broker')
    expect(namesRefusal(former, next, none)).toBe(
      'the new certificate is for CN=other, the former one for CN=node (ssl.allow.dn.changes)',
    )
    expect(namesRefusal(former, next, { ...none, subject: true })).toBeUndefined()
  })

  test('lacks none of the names, unless ssl.allow.san.changes', async () => {
    const next = await certificate('node', '127.0.0.1')
    expect(namesRefusal(former, next, none)).toBe(
      'the new certificate lacks DNS:broker of the former one (ssl.allow.san.changes)',
    )
    expect(namesRefusal(former, next, { ...none, alternativeNames: true })).toBeUndefined()
  })
})
