/** docs/compatibility.md as a function of the handler registry and of what real clients were seen to use. */
import path from 'node:path'
import { handlers } from '#broker/handlers/registry.ts'
import type { LedgerEntry } from '#broker/observe/request-ledger.ts'
import { apis, type Api } from '#broker/protocol/apis.ts'

const root = path.resolve(import.meta.dirname, '..', '..')
export const evidenceFolder = path.join(root, 'out', 'test', 'evidence')
export const proofsFile = path.join(root, 'docs', 'compatibility.json')
export const pageFile = path.join(root, 'docs', 'compatibility.md')

/** What the brokers of one test file served. */
export interface Evidence {
  /** Name of the test file without `.test.ts`. */
  readonly test: string
  readonly served: readonly LedgerEntry[]
}

/** Test file → client software → API key → versions, ascending. */
export type Proofs = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>>>

/** The proofs of the tests that ran replace their earlier ones; those of other tests stay. */
export function mergeProofs(earlier: Proofs, evidence: readonly Evidence[]): Proofs {
  const merged: Record<string, Record<string, Record<string, number[]>>> = {}
  for (const { test, served } of evidence) {
    const ofTest = (merged[test] ??= {})
    for (const { software, apiKey, apiVersion } of served) {
      const versions = ((ofTest[software] ??= {})[String(apiKey)] ??= [])
      if (!versions.includes(apiVersion)) versions.push(apiVersion)
      versions.sort((a, b) => a - b)
    }
  }
  return sorted({ ...earlier, ...merged })
}

function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  const entries = Object.entries(record).sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
  return Object.fromEntries(
    entries.map(([key, value]) => [
      key,
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? (sorted(value as Record<string, unknown>) as T)
        : value,
    ]),
  )
}

const notAdvertised: Readonly<Record<number, string>> = {
  80: 'voter changes (KIP-853) come later',
  81: 'voter changes (KIP-853) come later',
}

export function compatibilityPage(proofs: Proofs): string {
  const rows = apis.map(api => row(api, proofs))
  const served = apis.filter(({ key }) => handlers.some(({ apiKey }) => apiKey === key)).length
  return `# Compatibility with Apache Kafka 4.3

Written by \`make docs\` from the handler registry (\`broker/handlers/registry.ts\`) and from what the brokers of the conformance tests served
(\`docs/compatibility.json\`): a client is named here because a test saw it use that version and get an answer. ${served} of ${apis.length} APIs
are served. A version that is served but that no client of ours uses is proven only by the byte comparison with Kafka's own codecs
(\`tests/conformance/codec-golden.test.ts\`), which covers every version of every message.

| key | API | Kafka 4.3 | served | on | seen with these clients (version: test) | versions seen by no client |
|---|---|---|---|---|---|---|
${rows.join('\n')}
`
}

function row(api: Api, proofs: Proofs): string {
  const handler = handlers.find(({ apiKey }) => apiKey === api.key)
  const kafka = range(api.minVersion, api.latestStable)
  if (handler === undefined) return cells(api, kafka, `no: ${notAdvertised[api.key] ?? 'not there yet'}`, '', '', '')
  const [minimum, maximum] = handler.versions
  const seen = new Set<number>()
  const clients: string[] = []
  for (const [test, bySoftware] of Object.entries(proofs)) {
    for (const [software, byApi] of Object.entries(bySoftware)) {
      const versions = byApi[String(api.key)]
      if (versions === undefined) continue
      for (const version of versions) seen.add(version)
      clients.push(`${software === 'unknown' ? test : software} ${runs(versions)}: ${test}`)
    }
  }
  const internal = !handler.listeners.includes('broker') || betweenBrokers.has(api.key)
  const unseen = Array.from({ length: maximum - minimum + 1 }, (_, step) => minimum + step).filter(v => !seen.has(v))
  return cells(
    api,
    kafka,
    range(minimum, maximum),
    handler.listeners.join(', '),
    clients.length === 0 && internal ? 'between nodes' : clients.join('<br>'),
    internal && clients.length === 0 ? '' : runs(unseen),
  )
}

/** Served on broker listeners, sent by brokers. */
const betweenBrokers: ReadonlySet<number> = new Set([27, 83, 84, 85, 86, 87])

const cells = (api: Api, ...rest: readonly string[]): string => `| ${[api.key, api.name, ...rest].join(' | ')} |`

const range = (from: number, to: number): string => (from === to ? `${from}` : `${from}-${to}`)

/** 1, 2, 3, 7 → 1-3, 7 */
function runs(versions: readonly number[]): string {
  const found: [number, number][] = []
  for (const version of versions) {
    const last = found.at(-1)
    if (last !== undefined && last[1] === version - 1) last[1] = version
    else found.push([version, version])
  }
  return found.map(([from, to]) => range(from, to)).join(', ')
}
