/**
 * A certificate authority for one cluster, and the certificates it signs. Keys are RSA, which every client of Kafka can read; they are made by
 * Node, the certificates by node-forge, so that a machine without openssl will do.
 */
import { generateKeyPair, randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import { promisify } from 'node:util'
import type Forge from 'node-forge'

export interface KeyAndCertificate {
  /** PKCS#8, PEM, not encrypted: the only form that Kafka reads without a password. */
  readonly key: string
  /** PEM. */
  readonly certificate: string
}

export interface LeafRequest {
  readonly commonName: string
  /** Addresses and names of a server; empty for a client. */
  readonly hosts: readonly string[]
}

const keyBits = 2048
const yearsValid = 10
/** Clocks of containers and of other machines may be behind. */
const backdatedMs = 3_600_000

const makeKeyPair = promisify(generateKeyPair)

async function forgeLibrary(): Promise<typeof Forge> {
  return (await import('node-forge')).default
}

export async function makeAuthority(commonName: string): Promise<KeyAndCertificate> {
  const subject = [{ name: 'commonName', value: commonName }]
  const extensions = [
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    { name: 'subjectKeyIdentifier' },
  ]
  return await issue(subject, extensions, undefined)
}

/** A certificate for both ends of a connection, since a node is a server to some and a client to others. */
export async function signLeaf(
  authority: KeyAndCertificate,
  { commonName, hosts }: LeafRequest,
): Promise<KeyAndCertificate> {
  const names = hosts.map(host => (isIP(host) === 0 ? { type: 2, value: host } : { type: 7, ip: host }))
  const extensions = [
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', serverAuth: names.length > 0, clientAuth: true },
    { name: 'subjectKeyIdentifier' },
    ...(names.length === 0 ? [] : [{ name: 'subjectAltName', altNames: names }]),
  ]
  return await issue([{ name: 'commonName', value: commonName }], extensions, authority)
}

/** @param authority  undefined: signed with its own key */
async function issue(
  subject: Forge.pki.CertificateField[],
  extensions: object[],
  authority: KeyAndCertificate | undefined,
): Promise<KeyAndCertificate> {
  const forge = await forgeLibrary()
  const pair = await makeKeyPair('rsa', {
    modulusLength: keyBits,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = forge.pki.publicKeyFromPem(pair.publicKey)
  // Positive, whatever the bytes: at most 20 bytes, the first of them with its highest bit clear (RFC 5280).
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`
  certificate.validity.notBefore = new Date(Date.now() - backdatedMs)
  certificate.validity.notAfter = new Date(Date.now() + yearsValid * 365 * 86_400_000)
  certificate.setSubject(subject)
  const issuer = authority === undefined ? certificate : forge.pki.certificateFromPem(authority.certificate)
  certificate.setIssuer(issuer.subject.attributes)
  const keyId = issuer.generateSubjectKeyIdentifier().getBytes()
  certificate.setExtensions([...extensions, { name: 'authorityKeyIdentifier', keyIdentifier: keyId }])
  certificate.sign(forge.pki.privateKeyFromPem(authority?.key ?? pair.privateKey), forge.md.sha256.create())
  // Lines end as in every other file here; the library writes those of RFC 7468's strictest readers.
  return { key: pair.privateKey, certificate: forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n') }
}
