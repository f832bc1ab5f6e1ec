/** The authorizer: what each rule of Kafka's means, and the index against a model that reads every entry. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { applyRecords } from '#broker/controller/image-builder.ts'
import { MetadataImage } from '#broker/controller/image.ts'
import type { AccessControlEntryRecord } from '#broker/controller/metadata-record.ts'
import { Principal } from '#broker/net/principal.ts'
import {
  operationCodes,
  patternCodes,
  permissionCodes,
  resourceCodes,
  type AclBinding,
  type AclOperation,
  type ResourceType,
} from '#broker/security/authorization/acl.ts'
import { AuthorizerNotReadyError, type Subject } from '#broker/security/authorization/authorizer.ts'
import { StandardAuthorizer } from '#broker/security/authorization/standard-authorizer.ts'

const denials: object[] = []
const silent = () => undefined
const log = {
  debug: silent,
  info: (_message: string, fields?: object) => void denials.push(fields ?? {}),
  warn: silent,
  error: silent,
  child: () => log,
}

type Entry = readonly [
  permission: keyof typeof permissionCodes,
  operation: keyof typeof operationCodes,
  pattern: string,
  principal?: string,
  host?: string,
]

/** `orders` is a literal name, `orders~` the prefix `orders`. */
function binding([permission, operation, pattern, principal = 'User:alice', host = '*']: Entry): AclBinding {
  const isPrefix = pattern.endsWith('~')
  return {
    resourceType: resourceCodes.Topic,
    resourceName: isPrefix ? pattern.slice(0, -1) : pattern,
    patternType: isPrefix ? patternCodes.Prefixed : patternCodes.Literal,
    principal,
    host,
    operation: operationCodes[operation],
    permissionType: permissionCodes[permission],
  }
}

function image(acls: readonly AclBinding[]): MetadataImage {
  const records = acls.map((acl, index): AccessControlEntryRecord => {
    return { type: 'AccessControlEntry', id: `id-${index}-${JSON.stringify(acl)}`, ...acl }
  })
  return applyRecords(MetadataImage.empty('c'), records, { offset: records.length, epoch: 1 }).image
}

interface Options {
  readonly allowEveryoneIfNoAclFound?: boolean
  readonly superUsers?: readonly string[]
}

function authorizerWith(acls: readonly AclBinding[], options: Options = {}): StandardAuthorizer {
  const { allowEveryoneIfNoAclFound = false, superUsers = [] } = options
  const authorizer = new StandardAuthorizer({ log, superUsers: new Set(superUsers), allowEveryoneIfNoAclFound })
  authorizer.applyMetadata(image(acls))
  authorizer.loadingIsComplete()
  return authorizer
}

const user = (name: string, clientHost = '10.0.0.1'): Subject => ({
  principal: new Principal('User', name),
  clientHost,
})

function may(entries: readonly Entry[], operation: AclOperation, topic = 'orders', options: Options = {}): boolean {
  return authorizerWith(entries.map(binding), options).authorize(user('alice'), operation, 'Topic', topic, 'access')
}

describe('the standard authorizer', () => {
  it('denies what no entry allows, and says so in the log', () => {
    denials.length = 0
    expect(may([], 'Read')).toBe(false)
    expect(may([['Allow', 'Write', 'orders']], 'Read')).toBe(false)
    expect(denials).toContainEqual({
      principal: 'User:alice',
      host: '10.0.0.1',
      operation: 'Read',
      resource: 'Topic:orders',
    })
  })

  it('matches literal names, prefixes and the wildcard', () => {
    expect(may([['Allow', 'Read', 'orders']], 'Read')).toBe(true)
    expect(may([['Allow', 'Read', 'order']], 'Read')).toBe(false)
    expect(may([['Allow', 'Read', 'order~']], 'Read')).toBe(true)
    expect(may([['Allow', 'Read', 'orders~']], 'Read')).toBe(true)
    expect(may([['Allow', 'Read', 'orders2~']], 'Read')).toBe(false)
    expect(may([['Allow', 'Read', '*']], 'Read')).toBe(true)
    // A prefix `*` is the prefix of names that begin with a star, not of all.
    expect(may([['Allow', 'Read', '*~']], 'Read')).toBe(false)
  })

  it('lets one denial outweigh every permission, whatever pattern it has', () => {
    for (const denied of ['orders', 'ord~', '*']) {
      for (const allowed of ['orders', 'ord~', '*']) {
        const entries: Entry[] = [
          ['Allow', 'Read', allowed],
          ['Deny', 'Read', denied],
        ]
        expect(may(entries, 'Read'), `${allowed} allowed, ${denied} denied`).toBe(false)
      }
    }
  })

  it('matches the principal by type and name, and User:* for everyone', () => {
    expect(may([['Allow', 'Read', 'orders', 'User:bob']], 'Read')).toBe(false)
    expect(may([['Allow', 'Read', 'orders', 'Group:alice']], 'Read')).toBe(false)
    expect(may([['Allow', 'Read', 'orders', 'User:*']], 'Read')).toBe(true)
    const subject: Subject = { principal: new Principal('Group', 'g'), clientHost: 'h' }
    const authorizer = authorizerWith([binding(['Allow', 'Read', 'orders', 'User:*'])])
    expect(authorizer.authorize(subject, 'Read', 'Topic', 'orders', 'access')).toBe(true)
  })

  it('matches an IPv6 address however the entry writes it', () => {
    const subject = user('alice', '2001:db8:0:0:0:0:0:1')
    for (const host of ['2001:db8::1', '2001:0db8:0:0:0:0:0:0001', '2001:db8:0:0:0:0:0:1']) {
      const allowed = authorizerWith([binding(['Allow', 'Read', 'orders', 'User:alice', host])])
      expect(allowed.authorize(subject, 'Read', 'Topic', 'orders', 'access'), `host ${host}`).toBe(true)
      expect(allowed.authorizeByResourceType(subject, 'Read', 'Topic'), `host ${host}`).toBe(true)
      const both = [binding(['Allow', 'Read', 'orders']), binding(['Deny', 'Read', 'orders', 'User:alice', host])]
      expect(authorizerWith(both).authorize(subject, 'Read', 'Topic', 'orders', 'access'), `host ${host}`).toBe(false)
    }
    const elsewhere = authorizerWith([binding(['Allow', 'Read', 'orders', 'User:alice', '2001:db8::2'])])
    expect(elsewhere.authorize(subject, 'Read', 'Topic', 'orders', 'access')).toBe(false)
  })

  it('matches the host', () => {
    expect(may([['Allow', 'Read', 'orders', 'User:alice', '10.0.0.1']], 'Read')).toBe(true)
    expect(may([['Allow', 'Read', 'orders', 'User:alice', '10.0.0.2']], 'Read')).toBe(false)
    const entries: Entry[] = [
      ['Allow', 'Read', 'orders'],
      ['Deny', 'Read', 'orders', 'User:*', '10.0.0.2'],
    ]
    expect(may(entries, 'Read')).toBe(true)
  })

  it.each(['Read', 'Write', 'Delete', 'Alter'] as const)('takes Describe to be allowed with %s', operation => {
    expect(may([['Allow', operation, 'orders']], 'Describe')).toBe(true)
    expect(may([['Allow', operation, 'orders']], 'DescribeConfigs')).toBe(false)
    // Denials imply nothing.
    const entries: Entry[] = [
      ['Allow', 'Describe', 'orders'],
      ['Deny', operation, 'orders'],
    ]
    expect(may(entries, 'Describe')).toBe(true)
  })

  it('takes DescribeConfigs to be allowed with AlterConfigs, and everything with All', () => {
    expect(may([['Allow', 'AlterConfigs', 'orders']], 'DescribeConfigs')).toBe(true)
    expect(may([['Allow', 'AlterConfigs', 'orders']], 'Describe')).toBe(false)
    expect(may([['Allow', 'All', 'orders']], 'Alter')).toBe(true)
    const entries: Entry[] = [
      ['Allow', 'Read', 'orders'],
      ['Deny', 'All', 'orders'],
    ]
    expect(may(entries, 'Describe')).toBe(false)
  })

  it('opens resources without entries to everyone where it is told to', () => {
    const options = { allowEveryoneIfNoAclFound: true }
    expect(may([], 'Read', 'orders', options)).toBe(true)
    expect(may([['Allow', 'Read', 'other', 'User:bob']], 'Read', 'orders', options)).toBe(true)
    const closedBy = (pattern: string) => !may([['Allow', 'Read', pattern, 'User:bob']], 'Read', 'orders', options)
    expect(['orders', 'ord~', '*', 'orders2'].filter(closedBy)).toEqual(['orders', 'ord~', '*'])
  })

  it('lets super users do everything, and nobody else anything before the entries are loaded', () => {
    const options = { superUsers: ['User:alice'] }
    expect(may([['Deny', 'All', '*', 'User:*']], 'Read', 'orders', options)).toBe(true)
    const authorizer = new StandardAuthorizer({
      log,
      superUsers: new Set(['User:alice']),
      allowEveryoneIfNoAclFound: true,
    })
    expect(authorizer.authorize(user('alice'), 'Read', 'Topic', 't', 'access')).toBe(true)
    expect(() => authorizer.authorize(user('bob'), 'Read', 'Topic', 't', 'access')).toThrow(AuthorizerNotReadyError)
  })

  it('forgets an entry that is gone from the metadata', () => {
    const authorizer = authorizerWith([binding(['Allow', 'Read', 'ord~']), binding(['Allow', 'Read', 'orders'])])
    authorizer.applyMetadata(image([]))
    expect(authorizer.authorize(user('alice'), 'Read', 'Topic', 'orders', 'access')).toBe(false)
  })
})

/** The rules, entry by entry. */
function model(acls: readonly AclBinding[], subject: Subject, operation: AclOperation, name: string, open: boolean) {
  const implies: Partial<Record<AclOperation, readonly AclOperation[]>> = {
    Describe: ['Read', 'Write', 'Delete', 'Alter'],
    DescribeConfigs: ['AlterConfigs'],
  }
  const onResource = acls.filter(acl =>
    acl.patternType === patternCodes.Prefixed
      ? name.startsWith(acl.resourceName)
      : acl.resourceName === name || acl.resourceName === '*',
  )
  const forSubject = onResource.filter(
    acl =>
      [subject.principal.toString(), 'User:*'].includes(acl.principal) && ['*', subject.clientHost].includes(acl.host),
  )
  const names = (acl: AclBinding, operations: readonly AclOperation[]) =>
    acl.operation === operationCodes.All || operations.some(each => operationCodes[each] === acl.operation)
  const isDeny = (acl: AclBinding) => acl.permissionType === permissionCodes.Deny
  if (forSubject.some(acl => isDeny(acl) && names(acl, [operation]))) return false
  if (forSubject.some(acl => !isDeny(acl) && names(acl, [operation, ...(implies[operation] ?? [])]))) return true
  return open && onResource.length === 0
}

const operations: AclOperation[] = ['Read', 'Write', 'Describe', 'DescribeConfigs', 'AlterConfigs']
const arbitraryName = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 4 })
const arbitraryAcl = fc.record({
  resourceType: fc.constantFrom(resourceCodes.Topic, resourceCodes.Group),
  resourceName: fc.oneof({ weight: 4, arbitrary: arbitraryName }, fc.constant('*')),
  patternType: fc.constantFrom(patternCodes.Literal, patternCodes.Prefixed),
  principal: fc.constantFrom('User:alice', 'User:bob', 'User:*'),
  host: fc.constantFrom('*', '10.0.0.1', '10.0.0.2'),
  operation: fc.constantFrom(operationCodes.All, ...operations.map(each => operationCodes[each])),
  permissionType: fc.constantFrom(permissionCodes.Allow, permissionCodes.Allow, permissionCodes.Deny),
})

describe('the index', () => {
  it('decides as a model that reads every entry, also after entries came and went', () => {
    const lists = fc.array(fc.array(arbitraryAcl, { maxLength: 12 }), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(lists, arbitraryName, fc.boolean(), (states, name, open) => {
        const authorizer = authorizerWith([], { allowEveryoneIfNoAclFound: open })
        for (const state of states) authorizer.applyMetadata(image(state))
        const last = states.at(-1) ?? []
        for (const subject of [user('alice'), user('bob', '10.0.0.2')]) {
          for (const operation of operations) {
            const acls = last.filter(({ resourceType }) => resourceType === resourceCodes.Topic)
            const expected = model(acls, subject, operation, name, open)
            expect(authorizer.authorize(subject, operation, 'Topic', name, 'filter')).toBe(expected)
          }
        }
      }),
      { numRuns: 500 },
    )
  })
})

/** As the documentation of Kafka's Authorizer.authorizeByResourceType has it: is there a name on which it would be allowed? */
describe('a right on any resource of a type', () => {
  const anyTopic = (entries: readonly Entry[], type: ResourceType = 'Topic', options: Options = {}) =>
    authorizerWith(entries.map(binding), options).authorizeByResourceType(user('alice'), 'Write', type)

  it('comes from one permission that no denial covers', () => {
    expect(anyTopic([])).toBe(false)
    expect(anyTopic([['Allow', 'Write', 'orders']])).toBe(true)
    expect(anyTopic([['Allow', 'Write', 'orders']], 'Group')).toBe(false)
    expect(anyTopic([['Allow', 'All', 'ord~']])).toBe(true)
    expect(anyTopic([['Allow', 'Write', '*']])).toBe(true)
    expect(anyTopic([['Allow', 'Read', '*']])).toBe(false)
    expect(anyTopic([], 'Topic', { allowEveryoneIfNoAclFound: true })).toBe(true)
    expect(anyTopic([['Deny', 'All', '*']], 'Topic', { superUsers: ['User:alice'] })).toBe(true)
  })

  it.each([
    [['orders'], 'orders', false],
    [['orders'], 'ord~', false],
    [['orders'], 'orders~', false],
    [['orders'], '*', false],
    [['orders', 'other'], 'ord~', true],
    [['ord~'], 'orders', true],
    [['ord~'], 'o~', false],
    [['*'], 'orders', true],
    [['*'], 'o~', true],
    [['*'], '*', false],
  ] as const)('%j allowed and %s denied: %s', (allowed, denied, expected) => {
    const permissions = allowed.map((pattern): Entry => ['Allow', 'Write', pattern])
    expect(anyTopic([...permissions, ['Deny', 'Write', denied]])).toBe(expected)
  })
})
