/**
 * ssl.principal.mapping.rules: from the distinguished name of a client's certificate to the name of its principal (KIP-371). The first rule
 * that matches the whole name decides: `DEFAULT` keeps the name, `RULE:pattern/replacement/[LU]` replaces, with $1… for groups, and folds the case.
 * As in Kafka, the number of a group is as long as there is such a group, and what names no group stands for itself.
 */

export class MappingRuleError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'MappingRuleError'
  }
}

interface Rule {
  /** Undefined: the name as it is. */
  readonly pattern: RegExp | undefined
  readonly replacement: string
  readonly fold: 'L' | 'U' | ''
}

/** `DEFAULT`, or RULE:…/…/ in which a slash of the pattern or the replacement is written `\/`. */
const rulePattern = /\s*(?:(DEFAULT)|RULE:((?:\\.|[^\\/])*)\/((?:\\.|[^\\/])*)\/([LU]?))\s*(?:,|$)/y

function compile(text: string, rule: string): RegExp {
  try {
    return new RegExp(`^(?:${text})$`)
  } catch (error) {
    throw new MappingRuleError(`"${rule}" holds a pattern that cannot be read: ${(error as Error).message}`)
  }
}

/** A name for everybody that holds the number of a group is nobody's intention; Kafka's mapper then fails with each client. */
function requireGroups(pattern: RegExp, replacement: string, rule: string): void {
  const groups = (new RegExp(`${pattern.source}|`).exec('')?.length ?? 1) - 1
  const wanted = replacement.replaceAll(/\\./g, '').match(/\$[1-9]/)
  if (groups === 0 && wanted !== null)
    throw new MappingRuleError(`"${rule}" says ${wanted[0]}, but its pattern has no group`)
}

function filled(replacement: string, groups: RegExpExecArray): string {
  return replacement.replaceAll(/\\(.)|\$(\d+)/g, (whole, literal: string | undefined, digits: string) => {
    if (literal !== undefined) return literal
    let length = digits.length
    while (length > 1 && Number(digits.slice(0, length)) >= groups.length) length--
    const group = Number(digits.slice(0, length))
    return group < groups.length ? (groups[group] ?? '') + digits.slice(length) : whole
  })
}

export class PrincipalMapper {
  readonly #rules: readonly Rule[]

  /** @throws MappingRuleError that says which rule cannot be read */
  constructor(rules: string) {
    const text = rules.trim() === '' ? 'DEFAULT' : rules.trim()
    const parsed: Rule[] = []
    rulePattern.lastIndex = 0
    while (rulePattern.lastIndex < text.length) {
      const at = rulePattern.lastIndex
      const match = rulePattern.exec(text)
      if (match === null)
        throw new MappingRuleError(
          `expected DEFAULT or RULE:pattern/replacement/[LU], comma-separated, got "${text.slice(at)}"`,
        )
      const [whole, isDefault, pattern = '', replacement = '', fold = ''] = match
      const compiled = isDefault === undefined ? compile(pattern, whole) : undefined
      if (compiled !== undefined) requireGroups(compiled, replacement, whole)
      parsed.push({
        pattern: compiled,
        replacement: replacement.replaceAll('\\/', '/'),
        fold: fold as Rule['fold'],
      })
    }
    this.#rules = parsed
  }

  /** Undefined when no rule applies: then the client has no name and cannot be let in. */
  nameOf(distinguishedName: string): string | undefined {
    for (const { pattern, replacement, fold } of this.#rules) {
      if (pattern === undefined) return distinguishedName
      const match = pattern.exec(distinguishedName)
      if (match === null) continue
      const name = filled(replacement, match)
      if (fold === '') return name
      return fold === 'L' ? name.toLowerCase() : name.toUpperCase()
    }
    return undefined
  }
}
