/** docs/pains.md promises tests by their names: they exist. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { projectRoot } from '#scripts/cluster/state.ts'

const read = (file: string): string => readFileSync(path.join(projectRoot, file), 'utf8')
const page = read('docs/pains.md')
const named = [...page.matchAll(/`(tests\/[\w./-]+\.test\.ts)`: “([^”]+)”/g)].map(([, file = '', title = '']) => ({
  file,
  title,
}))

describe('docs/pains.md', () => {
  const rows = page.split('\n').filter(line => /^\| \d+ \|/.test(line))

  test('has fifteen rows, each with a public thread and with a test', () => {
    expect(rows.map(row => Number(/^\| (\d+)/.exec(row)?.[1]))).toEqual(
      Array.from({ length: 15 }, (_, index) => index + 1),
    )
    for (const row of rows) {
      expect(row).toMatch(/\]\(https:\/\/github\.com\/[\w.-]+\/[\w.-]+\/(issues|pull)\/\d+\)/)
      expect(row).toMatch(/`tests\/[\w./-]+\.test\.ts`: “/)
    }
  })

  test('names every test file with a title', () => {
    const files = [...page.matchAll(/`(tests\/[\w./-]+\.test\.ts)`(?!: “)/g)].map(([, file]) => file)
    expect(files).toEqual(['tests/scripts/pains.test.ts'])
  })

  test.each(named)('is right that $file has “$title”', ({ file, title }) => {
    expect(existsSync(path.join(projectRoot, file))).toBe(true)
    const titles = [...read(file).matchAll(/\b(?:test|it)(?:\.each\([\s\S]*?\))?\(\s*(['"`])((?:(?!\1).)+)\1/g)].map(
      ([, , text]) => text,
    )
    // The titles of `each` follow a table that may be long.
    const each = [...read(file).matchAll(/\)\(\s*(['"`])((?:(?!\1).)+)\1,/g)].map(([, , text]) => text)
    expect([...titles, ...each]).toContain(title)
  })
})

test('native packages are there for ARM', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { cpu?: string[]; os?: string[]; dev?: boolean }>
  }
  const native = Object.entries(packages).filter(([, { cpu, dev }]) => cpu !== undefined && dev !== true)
  const families = new Map<string, Set<string>>()
  for (const [name, { cpu = [], os = [] }] of native) {
    const family = name.replace(/-(linux|darwin|win32|android|freebsd|wasm32|openharmony)-?.*$/, '')
    const places = families.get(family) ?? new Set()
    for (const each of os) for (const processor of cpu) places.add(`${each}-${processor}`)
    families.set(family, places)
  }
  expect(families.size).toBeGreaterThan(0)
  for (const [family, places] of families)
    expect({ family, places: [...places] }).toEqual({
      family,
      places: expect.arrayContaining(['linux-x64', 'linux-arm64', 'darwin-arm64']) as string[],
    })
})
