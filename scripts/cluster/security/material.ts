/**
 * The secrets of a cluster and where they lie: `.faultline/NAME/security`, readable by its owner alone. Made once, when the cluster is made, and
 * kept with its data, because the users of a cluster are in its metadata log.
 *
 *   users.json                                     names and passwords (SASL)
 *   ca.pem, ca-key.pem                             the authority, also to sign more certificates with (TLS)
 *   node.pem                                       key and certificate of the nodes
 *   USER.pem                                       key and certificate of a client (mTLS)
 *   USER.properties, USER.kcat.conf, USER.kafkajs.json   what a client needs to connect, ready for use
 */
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { failure, usageError } from '../../errors.ts'
import type { ClusterSpec } from '../cluster.ts'
import { nodeIds } from '../cluster.ts'
import { dataDirectory, readJson, stateEntry, writeJson } from '../state.ts'
import { makeAuthority, signLeaf, type KeyAndCertificate } from './certificates.ts'
import { traitsOf, type SecurityKind, type SecurityTraits } from './kinds.ts'

/** Who the nodes are among themselves. */
export const nodeUser = 'node'
/** May do everything: the toolkit's own commands connect as this one. */
export const superUser = 'admin'
/** May do nothing until an access control entry says so. */
export const ordinaryUser = 'alice'
/** What client files are called where clients stay anonymous. */
export const anonymousClient = 'client'

export interface ClusterSecurity {
  readonly kind: SecurityKind
  readonly traits: SecurityTraits
  readonly directory: string
  /** User name to password, nodes included; empty without SASL. */
  readonly passwords: ReadonlyMap<string, string>
  /** With TLS. */
  readonly authority?: { readonly file: string; readonly certificate: string }
  readonly node?: Pem
  /** Clients with certificates of their own. */
  readonly clients: ReadonlyMap<string, Pem>
}

/** Key and certificate in one file, which Kafka, librdkafka and Node all read. */
export interface Pem extends KeyAndCertificate {
  readonly file: string
}

export function securityDirectory(name: string): string {
  return stateEntry(name, 'security')
}

/** Whom a client file is for. */
export function clientNames({ traits }: Pick<ClusterSecurity, 'traits'>): string[] {
  return traits.authorizer ? [superUser, ordinaryUser] : [anonymousClient]
}

/**
 * Makes what is not there yet.
 *
 * @param hosts  names and addresses by which clients and nodes reach the nodes
 */
export async function makeSecurity(spec: ClusterSpec, hosts: readonly string[]): Promise<ClusterSecurity | undefined> {
  const kind = spec.security ?? 'none'
  if (traitsOf(kind).protocol === 'PLAINTEXT') return undefined
  const directory = securityDirectory(spec.name)
  if (traitsOf(kind).sasl && !existsSync(join(directory, 'users.json'))) requireNewStorage(spec)
  await makeSecrets({ directory, kind, cluster: spec.name, hosts })
  return readSecurity(spec)
}

export interface SecretsRequest {
  readonly directory: string
  readonly kind: SecurityKind
  /** Named in the certificate of the authority. */
  readonly cluster: string
  readonly hosts: readonly string[]
}

/** Users and keys in a folder; what is there already stays. */
export async function makeSecrets({ directory, kind, cluster, hosts }: SecretsRequest): Promise<void> {
  const traits = traitsOf(kind)
  makeFolder(directory, 0o700)
  const usersFile = join(directory, 'users.json')
  if (traits.sasl && !existsSync(usersFile)) {
    const names = [nodeUser, superUser, ordinaryUser]
    writeJson(usersFile, Object.fromEntries(names.map(name => [name, randomBytes(18).toString('base64url')])))
    chmodSync(usersFile, 0o600)
  }
  if (traits.tls && !existsSync(join(directory, 'node.pem'))) await makeKeys(cluster, traits, directory, hosts)
}

/** Users of SCRAM are made when storage is formatted: storage that is there already has others, or none. */
function requireNewStorage(spec: ClusterSpec): void {
  const formatted = nodeIds(spec)
    .map(id => dataDirectory(spec, id))
    .find(directory => existsSync(join(directory, 'meta.properties')))
  if (formatted === undefined) return
  throw usageError(
    `${formatted} holds the data of an earlier cluster, without the users that --security ${spec.security} makes.`,
    'Take an empty --data directory, or --security none, tls or mtls.',
  )
}

async function makeKeys(
  cluster: string,
  traits: SecurityTraits,
  directory: string,
  hosts: readonly string[],
): Promise<void> {
  const authority = await makeAuthority(`Faultline cluster ${cluster}`)
  writeSecret(join(directory, 'ca.pem'), authority.certificate)
  writeSecret(join(directory, 'ca-key.pem'), authority.key)
  const clients = traits.clientCertificates ? [superUser, ordinaryUser] : []
  const leaves = [...clients.map(commonName => ({ commonName, hosts: [] })), { commonName: nodeUser, hosts }]
  const signed = await Promise.all(leaves.map(leaf => signLeaf(authority, leaf)))
  // The nodes' last: it says that all are there.
  for (const [index, { key, certificate }] of signed.entries())
    writeSecret(join(directory, `${leaves[index]?.commonName}.pem`), key + certificate)
}

export function nodeCertificateFile(name: string): string {
  return join(securityDirectory(name), 'node.pem')
}

/**
 * Another key and certificate for the nodes of a cluster, of the same authority, good for these hosts. Nodes that run keep theirs.
 *
 * @returns what belongs into the file; undefined without TLS
 */
export async function signNodesAnew(spec: ClusterSpec, hosts: readonly string[]): Promise<string | undefined> {
  const { authority, directory } = readSecurity(spec) ?? {}
  if (authority === undefined || directory === undefined) return undefined
  const { certificate } = authority
  const signer = { certificate, key: readText(join(directory, 'ca-key.pem'), file => missing(spec, file)) }
  const signed = await signLeaf(signer, { commonName: nodeUser, hosts })
  return signed.key + signed.certificate
}

/** Undefined for a cluster without security. */
export function readSecurity(spec: ClusterSpec): ClusterSecurity | undefined {
  const kind = spec.security ?? 'none'
  if (traitsOf(kind).protocol === 'PLAINTEXT') return undefined
  return readSecrets(securityDirectory(spec.name), kind, file => missing(spec, file))
}

/**
 * What `makeSecrets` made in a folder.
 *
 * @param gone  the error for a file that is not there
 */
export function readSecrets(directory: string, kind: SecurityKind, gone: (file: string) => Error): ClusterSecurity {
  const traits = traitsOf(kind)
  const at = (name: string): string => join(directory, name)
  const users = traits.sasl ? (readJson(at('users.json')) as Record<string, string> | undefined) : {}
  if (users === undefined) throw gone(at('users.json'))
  const withCertificate = traits.clientCertificates ? [superUser, ordinaryUser] : []
  return {
    kind,
    traits,
    directory,
    passwords: new Map(Object.entries(users)),
    clients: new Map(withCertificate.map(name => [name, readPem(at(`${name}.pem`), gone)])),
    ...(traits.tls
      ? {
          authority: { file: at('ca.pem'), certificate: readText(at('ca.pem'), gone) },
          node: readPem(at('node.pem'), gone),
        }
      : {}),
  }
}

function readPem(file: string, gone: (file: string) => Error): Pem {
  const text = readText(file, gone)
  const at = text.indexOf('-----BEGIN CERTIFICATE-----')
  return { file, key: text.slice(0, at), certificate: text.slice(at) }
}

function readText(file: string, gone: (file: string) => Error): string {
  if (!existsSync(file)) throw gone(file)
  return readFileSync(file, 'utf8')
}

function missing(spec: ClusterSpec, file: string): Error {
  return failure(
    `${file} is missing: without it nobody can connect to the cluster ${spec.name} (--security ${spec.security}).`,
    `./faultline down --name ${spec.name} takes the cluster away; up makes new keys.`,
  )
}

/** For its owner alone. */
export function writeSecret(file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o600 })
  // The mode of a file that was there already is not changed by writing it.
  chmodSync(file, 0o600)
}

/** The same, for a file that others may read meanwhile: they find the old content or the new one. */
export function replaceSecret(file: string, text: string): void {
  const temporary = `${file}.${process.pid}.tmp`
  writeSecret(temporary, text)
  renameSync(temporary, file)
}
