/** Reads action.yml: the part of YAML that such a file is written in here (maps by two spaces, lists of maps, plain or quoted scalars). */
export type Yaml = string | YamlMap | Yaml[]
export interface YamlMap {
  [key: string]: Yaml
}

interface Line {
  readonly depth: number
  readonly text: string
}

/** @throws Error that names the line that is something else */
export function parseActionFile(text: string): YamlMap {
  const lines = text.split('\n').flatMap((raw): Line[] => {
    if (raw.trim() === '' || raw.trimStart().startsWith('#')) return []
    return [{ depth: raw.length - raw.trimStart().length, text: raw.trim() }]
  })
  const parsed = block(lines, 0, 0)
  if (parsed.next !== lines.length) throw new Error(`not understood: ${lines[parsed.next]?.text}`)
  return parsed.value as YamlMap
}

function block(lines: readonly Line[], from: number, depth: number): { value: Yaml; next: number } {
  return lines[from]?.text.startsWith('- ') === true ? list(lines, from, depth) : map(lines, from, depth)
}

function list(lines: readonly Line[], from: number, depth: number): { value: Yaml[]; next: number } {
  const value: Yaml[] = []
  let at = from
  while (lines[at]?.depth === depth && lines[at]?.text.startsWith('- ') === true) {
    // The item's first key stands behind the dash, the others below it.
    const first = { depth: depth + 2, text: (lines[at] as Line).text.slice(2) }
    const item = map([...lines.slice(0, at), first, ...lines.slice(at + 1)], at, depth + 2)
    value.push(item.value)
    at = item.next
  }
  return { value, next: at }
}

function map(lines: readonly Line[], from: number, depth: number): { value: YamlMap; next: number } {
  const value: YamlMap = {}
  let at = from
  while (lines[at]?.depth === depth) {
    const [, key = '', rest = ''] = /^([\w-]+):(?: (.*))?$/.exec((lines[at] as Line).text) ?? []
    if (key === '') throw new Error(`expected "key: value", got ${(lines[at] as Line).text}`)
    at++
    if (rest !== '') {
      value[key] = scalar(rest)
      continue
    }
    const inner = block(lines, at, depth + 2)
    value[key] = inner.value
    at = inner.next
  }
  return { value, next: at }
}

function scalar(text: string): string {
  const quoted = /^'((?:[^']|'')*)'$/.exec(text)
  if (quoted !== null) return (quoted[1] ?? '').replaceAll("''", "'")
  // What else YAML would read as something other than this text.
  if (/^["[{&*!|>%@`]|: | #/.test(text)) throw new Error(`not a plain scalar: ${text}`)
  return text
}
