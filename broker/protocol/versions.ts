/**
 * Version ranges as Kafka's schemas write them: '0+', '2-4', '3', 'none'.
 */

/** Inclusive on both sides; empty when max < min. */
export interface VersionRange {
  readonly min: number
  readonly max: number
}

const highestVersion = 0x7fff

export const allVersions: VersionRange = { min: 0, max: highestVersion }
export const noVersions: VersionRange = { min: 0, max: -1 }

const parsed = new Map<string, VersionRange>([
  ['0+', allVersions],
  ['none', noVersions],
])

/** Parses a range; an unreadable one is a mistake in a declaration and throws. */
export function parseVersions(text: string): VersionRange {
  let range = parsed.get(text)
  if (range === undefined) {
    const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(text)
    if (match === null) throw new Error(`version range '${text}': expected '3+', '2-4', '3' or 'none'`)
    const min = Number(match[1])
    range = { min, max: match[2] === '+' ? highestVersion : Number(match[3] ?? min) }
    parsed.set(text, range)
  }
  return range
}

/** True when the range contains the version. */
export function includes(range: VersionRange, version: number): boolean {
  return range.min <= version && version <= range.max
}
