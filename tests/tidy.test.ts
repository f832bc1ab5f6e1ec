/**
 * The house rules, as a test: which folder may import which, how long a file may be, words that do not belong, files that must have a
 * header. What a linter can say is in .oxlintrc.json; this says the rest.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

const root = path.resolve(import.meta.dirname, '..')
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\0')
  .filter(file => file !== '' && existsSync(path.join(root, file)))
const sources = files.filter(file => file.endsWith('.ts'))
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')

/** Top folders: who may import whom. `tests` may import anything. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  broker: ['broker'],
  simulator: ['simulator', 'broker', 'scripts', 'labs'],
  scripts: ['scripts', 'broker', 'labs', 'simulator'],
  labs: ['labs', 'scripts'],
  // The models that tests judge checkers by make the large histories, too.
  bench: ['bench', 'scripts', 'broker', 'tests'],
}

/** Scripts use the broker’s protocol only, what a client could know; but cluster/simulated runs it, and log-files reads its files. */
const brokerPartsForScripts = /^broker\/(protocol|config|environment)\//

/** Inside broker/: layers from the bottom up; a layer imports itself and those below it. */
const layers: readonly (readonly string[])[] = [
  ['environment'],
  ['protocol'],
  ['config', 'log', 'raft', 'net'],
  ['controller', 'replication', 'coordinator', 'security', 'observe'],
  ['handlers'],
  ['.'],
]
const layerOf = (folder: string): number => layers.findIndex(layer => layer.includes(folder))

function imports(file: string): { specifier: string; typeOnly: boolean; target: string }[] {
  const found: { specifier: string; typeOnly: boolean; target: string }[] = []
  const pattern =
    /^\s*(?:import|export)\s+(type\s)?[^'"]*?from\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/gm
  for (const match of read(file).matchAll(pattern)) {
    const specifier = match[2] ?? match[3] ?? match[4] ?? ''
    const target = specifier.startsWith('#')
      ? specifier.slice(1)
      : specifier.startsWith('.')
        ? path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier))
        : specifier
    found.push({ specifier, typeOnly: match[1] !== undefined, target })
  }
  return found
}

const top = (file: string): string => file.split('/')[0] ?? ''
const brokerFolder = (file: string): string => (file.split('/').length > 2 ? (file.split('/')[1] ?? '.') : '.')

describe('imports', () => {
  it('go only where the table allows', () => {
    const wrong: string[] = []
    for (const file of sources) {
      const allowed = mayImport[top(file)]
      if (allowed === undefined) continue
      for (const { target } of imports(file)) {
        const to = top(target)
        if (mayImport[to] === undefined && to !== 'tests') continue
        if (!allowed.includes(to)) wrong.push(`${file} imports ${target}`)
        if (
          top(file) === 'scripts' &&
          to === 'broker' &&
          !file.startsWith('scripts/cluster/simulated/') &&
          !(file.startsWith('scripts/log-files/') && target.startsWith('broker/log/')) &&
          !brokerPartsForScripts.test(target)
        )
          wrong.push(`${file} imports ${target}: scripts see of the broker what a client can know`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('point downward inside the broker; types may be named from a neighbour', () => {
    const wrong: string[] = []
    for (const file of sources.filter(source => top(source) === 'broker')) {
      for (const { target, typeOnly } of imports(file)) {
        if (typeOnly || top(target) !== 'broker') continue
        const from = layerOf(brokerFolder(file))
        const to = layerOf(brokerFolder(target))
        if (to > from) wrong.push(`${file} imports ${target}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('of the machine’s effects are in environment/node and main.ts alone', () => {
    const pure = new Set([
      'node:assert',
      'node:assert/strict',
      'node:buffer',
      'node:zlib',
      'node:util',
      'node:events',
      'node:path',
      'node:path/posix',
      'node:module',
      // What computes alone; the linter refuses its sources of randomness.
      'node:crypto',
    ])
    const wrong = sources
      .filter(
        file => top(file) === 'broker' && !file.startsWith('broker/environment/node/') && file !== 'broker/main.ts',
      )
      .flatMap(file => imports(file).map(({ specifier }) => ({ file, specifier })))
      .filter(({ specifier }) => specifier.startsWith('node:') && !pure.has(specifier))
      .map(({ file, specifier }) => `${file} imports ${specifier}`)
    expect(wrong).toEqual([])
  })
})

describe('files', () => {
  it('are at most 600 lines', () => {
    const long = sources
      .map(file => ({ file, lines: read(file).split('\n').length }))
      .filter(({ lines }) => lines > 600)
      .map(({ file, lines }) => `${file}: ${lines}`)
    expect(long).toEqual([])
  })

  it('begin with what they are', () => {
    const bare = sources
      .filter(file => ['broker', 'simulator', 'scripts', 'labs', 'bench'].includes(top(file)))
      .filter(file => !/^(#!.*\n)?\s*\/\*\*/.test(read(file)))
    expect(bare).toEqual([])
  })

  it('are none that a program makes again', () => {
    const made = execFileSync('git', ['ls-files', '--cached', '--ignored', '--exclude-standard'], { cwd: root })
    expect(made.toString()).toBe('')
  })

  it('have kebab-case names', () => {
    const named = sources.filter(file => !/^[a-z0-9.-]+$/.test(path.basename(file)))
    expect(named).toEqual([])
  })

  it('of a handler carry the number of their API and are in the registry', () => {
    const registry = read('broker/handlers/registry.ts')
    const missing = sources
      .filter(file => /^broker\/handlers\/\d\d-/.test(file))
      .filter(file => !registry.includes(`'./${path.basename(file)}'`))
    expect(missing).toEqual([])
  })

  it('of a lab say question, setup, fault and expectation', () => {
    const incomplete = sources
      .filter(file => /^labs\/\d\d-/.test(file))
      .filter(file => !/\/\*\*[\s\S]*Setup:[\s\S]*Fault:[\s\S]*Expect:[\s\S]*\*\//.test(read(file)))
    expect(incomplete).toEqual([])
  })
})

describe('words', () => {
  /** Pattern, and what to write instead. Broken up, so that this file does not match itself. */
  const banned: readonly (readonly [RegExp, string, RegExp?])[] = [
    [
      new RegExp(String.raw`\b(TO` + String.raw`DO|FIX` + String.raw`ME|XX` + String.raw`X)\b`),
      'do it, or say in docs/ what is missing',
    ],
    [
      new RegExp(`\\b(it|test|describe)\\.(${'only'}|${'skip'}|${'todo'})\\(`),
      'a test runs, or is not there',
      /^tests\//,
    ],
    [new RegExp(`/wor${'k'}/|/hom${'e'}/[a-z]|/roo${'t'}/`), 'no path of one machine'],
    [new RegExp(`registry\\.np${'mjs'}|repo1?\\.mave${'n'}|\\bde${'b'}\\.debian|pyp${'i'}\\.org`), 'no registry hosts'],
    [
      /\bmkdir(Sync)?\(.*recursive: true/,
      'makeFolder: below /proc it never comes back',
      /^(broker|scripts|bench|simulator)\//,
    ],
    [/catch\s*(\([^)]*\))?\s*\{\s*\}/, 'handle the error, or say why it may be ignored'],
    [/\.catch\(\(\) => (\{\s*\}|undefined)\)/, 'handle the error, or say why it may be ignored'],
  ]

  it('that do not belong are not there', () => {
    const text = files.filter(
      file =>
        /\.(ts|md|ya?ml|json|sh)$|Makefile$|Dockerfile$|^faultline$|\.ci\/run$/.test(file) &&
        file !== 'package-lock.json' &&
        file !== 'tests/tidy.test.ts',
    )
    const found: string[] = []
    for (const file of text) {
      const lines = read(file).split('\n')
      for (const [pattern, instead, where] of banned) {
        if (where !== undefined && !where.test(file)) continue
        lines.forEach((line, index) => {
          // A comment above says why.
          const explained = pattern.source.includes('catch') && /^\s*(\/\/|\*)/.test(lines[index - 1] ?? '')
          if (pattern.test(line) && !explained) found.push(`${file}:${index + 1}: ${line.trim()} (${instead})`)
        })
      }
    }
    expect(found).toEqual([])
  })

  it('in a lock file name no host', () => {
    expect(read('package-lock.json')).not.toContain('"resolved"')
  })
})
