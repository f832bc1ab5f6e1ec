/**
 * Access control entries by the resource patterns they are about, so that a decision looks only at entries that can matter: the pattern of the
 * resource's own name, the wildcard, and each prefix of the name that some pattern has. Changes in place.
 */
import type { Uuid } from '../../controller/metadata-record.ts'
import { hostAddress } from '../../net/ip-address.ts'
import { operationCodes, patternCodes, permissionCodes, wildcard, wildcardPrincipal, type AclBinding } from './acl.ts'

/** One entry, ready to be compared. */
interface Rule {
  /** An address as clients' are written, whichever way the entry wrote it. */
  readonly host: string
  readonly isDeny: boolean
  /** A bit per operation code this entry decides about. */
  readonly operations: number
}

const everyOperation = -1
const bit = (code: number): number => 1 << code

/** Rights that come with others when they are allowed; a denial takes nothing but what it names (KIP-11). */
const alsoAllowed: ReadonlyMap<number, number> = new Map([
  [operationCodes.Read, bit(operationCodes.Describe)],
  [operationCodes.Write, bit(operationCodes.Describe)],
  [operationCodes.Delete, bit(operationCodes.Describe)],
  [operationCodes.Alter, bit(operationCodes.Describe)],
  [operationCodes.AlterConfigs, bit(operationCodes.DescribeConfigs)],
])

function ruleOf(acl: AclBinding): Rule {
  const isDeny = acl.permissionType !== permissionCodes.Allow
  const host = hostAddress(acl.host)
  if (acl.operation === operationCodes.All) return { host, isDeny, operations: everyOperation }
  const implied = isDeny ? 0 : (alsoAllowed.get(acl.operation) ?? 0)
  return { host, isDeny, operations: bit(acl.operation) | implied }
}

/** What the entries found so far say. */
export interface Verdict {
  /** There are entries for the resource, be it for others. */
  hasEntries: boolean
  isAllowed: boolean
  isDenied: boolean
}

/** All entries of one pattern, by principal. */
type Pattern = Map<string, Map<Uuid, Rule>>

/** The patterns of one resource type. */
class Patterns {
  readonly literal = new Map<string, Pattern>()
  readonly prefixed = new Map<string, Pattern>()
  /** Lengths that prefixes have, and how many prefixes have them. */
  readonly #lengths = new Map<number, number>()
  /** Entries of one principal, for questions about any resource of the type. */
  readonly byPrincipal = new Map<string, Map<Uuid, AclBinding>>()

  add(id: Uuid, acl: AclBinding): void {
    const patterns = this.#of(acl)
    let pattern = patterns.get(acl.resourceName)
    if (pattern === undefined) {
      patterns.set(acl.resourceName, (pattern = new Map()))
      if (patterns === this.prefixed) this.#count(acl.resourceName.length, 1)
    }
    put(pattern, acl.principal, id, ruleOf(acl))
    put(this.byPrincipal, acl.principal, id, acl)
  }

  remove(id: Uuid, acl: AclBinding): void {
    const patterns = this.#of(acl)
    const pattern = patterns.get(acl.resourceName)
    if (pattern !== undefined) take(pattern, acl.principal, id)
    take(this.byPrincipal, acl.principal, id)
    if (pattern?.size !== 0) return
    patterns.delete(acl.resourceName)
    if (patterns === this.prefixed) this.#count(acl.resourceName.length, -1)
  }

  /** Every pattern that a resource of this name falls under. */
  forEach(name: string, visit: (pattern: Pattern) => void): void {
    const own = this.literal.get(name)
    if (own !== undefined) visit(own)
    const all = name === wildcard ? undefined : this.literal.get(wildcard)
    if (all !== undefined) visit(all)
    for (const length of this.#lengths.keys()) {
      if (length > name.length) continue
      const prefix = this.prefixed.get(name.slice(0, length))
      if (prefix !== undefined) visit(prefix)
    }
  }

  #of(acl: AclBinding): Map<string, Pattern> {
    return acl.patternType === patternCodes.Prefixed ? this.prefixed : this.literal
  }

  #count(length: number, change: number): void {
    const count = (this.#lengths.get(length) ?? 0) + change
    if (count === 0) this.#lengths.delete(length)
    else this.#lengths.set(length, count)
  }
}

export class AclIndex {
  readonly #byType = new Map<number, Patterns>()

  add(id: Uuid, acl: AclBinding): void {
    let patterns = this.#byType.get(acl.resourceType)
    if (patterns === undefined) this.#byType.set(acl.resourceType, (patterns = new Patterns()))
    patterns.add(id, acl)
  }

  remove(id: Uuid, acl: AclBinding): void {
    this.#byType.get(acl.resourceType)?.remove(id, acl)
  }

  /** @param who  principal as `Type:name`, and its address */
  judge(
    who: { readonly principal: string; readonly host: string },
    operation: number,
    resourceType: number,
    name: string,
  ): Verdict {
    const verdict: Verdict = { hasEntries: false, isAllowed: false, isDenied: false }
    const wanted = bit(operation)
    const apply = (rules: Map<Uuid, Rule> | undefined): void => {
      if (rules === undefined) return
      for (const rule of rules.values()) {
        if ((rule.operations & wanted) === 0 || (rule.host !== wildcard && rule.host !== who.host)) continue
        if (rule.isDeny) verdict.isDenied = true
        else verdict.isAllowed = true
      }
    }
    this.#byType.get(resourceType)?.forEach(name, pattern => {
      verdict.hasEntries = true
      apply(pattern.get(who.principal))
      if (who.principal !== wildcardPrincipal) apply(pattern.get(wildcardPrincipal))
    })
    return verdict
  }

  /** Entries about resources of the type that hold for the principal from this host. */
  *entriesFor(
    who: { readonly principal: string; readonly host: string },
    resourceType: number,
  ): Generator<AclBinding, void, undefined> {
    const byPrincipal = this.#byType.get(resourceType)?.byPrincipal
    if (byPrincipal === undefined) return
    for (const principal of new Set([who.principal, wildcardPrincipal])) {
      for (const acl of byPrincipal.get(principal)?.values() ?? []) {
        if (acl.host === wildcard || hostAddress(acl.host) === who.host) yield acl
      }
    }
  }
}

function put<V>(maps: Map<string, Map<Uuid, V>>, key: string, id: Uuid, value: V): void {
  const inner = maps.get(key)
  if (inner === undefined) maps.set(key, new Map([[id, value]]))
  else inner.set(id, value)
}

function take<V>(maps: Map<string, Map<Uuid, V>>, key: string, id: Uuid): void {
  const inner = maps.get(key)
  inner?.delete(id)
  if (inner?.size === 0) maps.delete(key)
}
