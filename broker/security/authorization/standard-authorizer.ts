/**
 * Kafka's StandardAuthorizer: decisions from the access control entries in the metadata log (KIP-801).
 *
 * - super.users may do everything, also before the entries are loaded.
 * - Among the entries that match resource, principal, host and operation one denial outweighs every permission.
 * - Without a matching entry the answer is no, except where allow.everyone.if.no.acl.found is true and there is no entry for the resource at all.
 * Must never say yes before the entries are loaded, to anyone but super users: a denial may be among them.
 */
import type { Logger } from '../../environment/environment.ts'
import type { MetadataImage, Uuid } from '../../controller/image.ts'
import { AclIndex } from './acl-index.ts'
import {
  operationCodes,
  patternCodes,
  permissionCodes,
  resourceCodes,
  wildcard,
  type AclBinding,
  type AclOperation,
  type ResourceType,
} from './acl.ts'
import { AuthorizerNotReadyError, type Authorizer, type Purpose, type Subject } from './authorizer.ts'

export const standardAuthorizerClass = 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'

export interface StandardAuthorizerOptions {
  readonly log: Logger
  /** `Type:name` each. */
  readonly superUsers: ReadonlySet<string>
  readonly allowEveryoneIfNoAclFound: boolean
}

/** Name that Kafka asks about to find out what holds for a resource nobody wrote an entry for. */
const nowhere = 'hardcode'

export class StandardAuthorizer implements Authorizer {
  readonly #options: StandardAuthorizerOptions
  readonly #index = new AclIndex()
  #acls: ReadonlyMap<Uuid, AclBinding> = new Map()
  #isLoaded = false
  #loaded: () => void = () => undefined
  readonly whenLoaded: Promise<void>

  constructor(options: StandardAuthorizerOptions) {
    this.#options = options
    this.whenLoaded = new Promise(resolve => (this.#loaded = resolve))
  }

  get isLoaded(): boolean {
    return this.#isLoaded
  }

  /** Entries of the newest committed image. */
  get acls(): Iterable<AclBinding> {
    return this.#acls.values()
  }

  /** Takes over the entries of an image; costs as much as there are entries when they changed, nothing when not. */
  applyMetadata({ acls }: MetadataImage): void {
    const previous = this.#acls
    if (acls === previous) return
    this.#acls = acls
    for (const [id, acl] of previous) if (acls.get(id) !== acl) this.#index.remove(id, acl)
    for (const [id, acl] of acls) if (previous.get(id) !== acl) this.#index.add(id, acl)
  }

  /** What was applied so far is all that is committed: from now on everyone gets decisions. */
  loadingIsComplete(): void {
    if (this.#isLoaded) return
    this.#isLoaded = true
    this.#loaded()
  }

  authorize(
    subject: Subject,
    operation: AclOperation,
    resourceType: ResourceType,
    name: string,
    purpose: Purpose,
  ): boolean {
    const isAllowed = this.#decide(subject, operation, resourceType, name)
    const { log } = this.#options
    if (!isAllowed && purpose === 'access') {
      const principal = subject.principal.toString()
      log.info('denied', { principal, host: subject.clientHost, operation, resource: `${resourceType}:${name}` })
    }
    return isAllowed
  }

  authorizeByResourceType(subject: Subject, operation: AclOperation, resourceType: ResourceType): boolean {
    if (this.#decide(subject, operation, resourceType, nowhere)) return true
    const found = this.#patternsNaming(subject, operation, resourceType)
    return found !== undefined && found.allowed.some(pattern => !isDenied(pattern, found.denied))
  }

  #decide({ principal, clientHost }: Subject, operation: AclOperation, type: ResourceType, name: string): boolean {
    const { superUsers, allowEveryoneIfNoAclFound } = this.#options
    const who = { principal: principal.toString(), host: clientHost }
    if (superUsers.has(who.principal)) return true
    if (!this.#isLoaded) throw new AuthorizerNotReadyError()
    const verdict = this.#index.judge(who, operationCodes[operation], resourceCodes[type], name)
    if (verdict.isDenied) return false
    return verdict.isAllowed || (!verdict.hasEntries && allowEveryoneIfNoAclFound)
  }

  /** Patterns on which the operation itself (not one that implies it) is allowed or denied; undefined when it is denied everywhere. */
  #patternsNaming(
    { principal, clientHost }: Subject,
    operation: AclOperation,
    type: ResourceType,
  ): { allowed: readonly AclBinding[]; denied: DeniedPatterns } | undefined {
    const allowed: AclBinding[] = []
    const denied: DeniedPatterns = { literal: new Set(), prefixed: new Set() }
    const who = { principal: principal.toString(), host: clientHost }
    for (const acl of this.#index.entriesFor(who, resourceCodes[type])) {
      if (acl.operation !== operationCodes[operation] && acl.operation !== operationCodes.All) continue
      if (acl.permissionType === permissionCodes.Allow) allowed.push(acl)
      else if (acl.patternType === patternCodes.Prefixed) denied.prefixed.add(acl.resourceName)
      else if (acl.resourceName === wildcard) return undefined
      else denied.literal.add(acl.resourceName)
    }
    return { allowed, denied }
  }
}

interface DeniedPatterns {
  readonly literal: Set<string>
  readonly prefixed: Set<string>
}

/** Whether nothing is left of what the pattern allows. */
function isDenied({ resourceName, patternType }: AclBinding, denied: DeniedPatterns): boolean {
  const isLiteral = patternType !== patternCodes.Prefixed
  if (isLiteral && resourceName === wildcard) return false
  if (isLiteral && denied.literal.has(resourceName)) return true
  for (let length = 1; length <= resourceName.length; length++) {
    if (denied.prefixed.has(resourceName.slice(0, length))) return true
  }
  return false
}
