/**
 * ssl.principal.mapping.rules: from the distinguished name of a client's certificate to the name of its principal (KIP-371). The first rule
 * that matches the whole name decides: `DEFAULT` keeps the name, `RULE:pattern/replacement/[LU]` replaces, with $1… for groups, and folds the case.
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
      parsed.push({
        pattern: isDefault === undefined ? compile(pattern, whole) : undefined,
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
      const name = replacement.replaceAll(/\\(.)|\$(\d)/g, (_whole, literal: string | undefined, group: string) =>
        literal === undefined ? (match[Number(group)] ?? '') : literal,
      )
      if (fold === '') return name
      return fold === 'L' ? name.toLowerCase() : name.toUpperCase()
    }
    return undefined
  }
}
