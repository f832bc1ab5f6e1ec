/** The library that breaks Apache Kafka from inside, as this machine makes it. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { buildLibrary, libraryAvailable } from '#scripts/cluster/apache-kafka/fault-library.ts'
import { describeWith } from '../../../machine.ts'

let folder: string
/** What commands are looked for in first. */
let bin: string
let cache: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'faultline-library-'))
  bin = path.join(folder, 'bin')
  cache = path.join(folder, 'cache of jars')
  mkdirSync(bin)
  vi.stubEnv('KAFKA_CACHE', cache)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

const usual = process.env['PATH'] ?? ''
const made = () => (existsSync(cache) ? readdirSync(path.join(cache, 'faultline-library')) : [])
const build = async (progress: (line: string) => void = () => undefined) =>
  await buildLibrary({ progress, signal: undefined })

/** A compiler that says what it is asked for in `calls`. */
function compiler(script: string): void {
  writeFileSync(path.join(bin, 'cc'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  vi.stubEnv('PATH', `${bin}:${usual}`)
}
/** The real one, which calls itself by this name. */
function named(version: string): void {
  const real = execFileSync('sh', ['-c', 'command -v cc'], { encoding: 'utf8', env: { PATH: usual } }).trim()
  compiler(
    `if [ "$1" = --version ]; then echo '${version}'; exit; fi\necho "$@" >>'${folder}/calls'\nexec ${real} "$@"`,
  )
}
const calls = () => readFileSync(path.join(folder, 'calls'), 'utf8').trim().split('\n').length

describeWith(['cc'], 'the library', () => {
  test('is one for all who make it at the same time, and made once, also where names have blanks', async () => {
    named('a compiler')
    const said: string[] = []
    const [folder, other] = await Promise.all([build(), build()])
    expect(other).toBe(folder)
    expect(made()).toEqual([path.basename(folder)])
    expect(readdirSync(folder).toSorted()).toEqual(['libfaults.so', 'probe'])
    const before = calls()
    expect(await build(line => said.push(line))).toBe(folder)
    expect(await libraryAvailable()).toEqual({ available: true })
    expect({ calls: calls(), said }).toEqual({ calls: before, said: [] })
  })

  test('of a compiler that fails is not there, and that of another one is another', async () => {
    compiler(
      'if [ "$1" = --version ]; then echo one; exit; fi\n[ "$1" = -fsyntax-only ] || { echo no room >&2; exit 1; }',
    )
    await expect(build()).rejects.toThrow(/^cc cannot make faults\.c and durable\.c of .*:\nno room$/)
    expect(made()).toEqual([])
    // As if it had been made by that one.
    named('one')
    const one = await build()
    named('another')
    expect(await libraryAvailable()).toEqual({ available: true })
    expect(made()).toEqual([path.basename(one)])
    compiler('if [ "$1" = --version ]; then echo another; exit; fi\necho asked >&2; exit 1')
    await expect(build()).rejects.toThrow('asked')
  })

  test('that nobody can run is refused', async () => {
    compiler(
      [
        'if [ "$1" = --version ]; then echo lame; exit; fi',
        'while [ $# -gt 0 ]; do if [ "$1" = -o ]; then echo >"$2"; fi; shift; done',
      ].join('\n'),
    )
    await expect(build()).rejects.toMatchObject({
      message: expect.stringContaining('breaks nothing there') as string,
      remedy: expect.stringContaining('KAFKA_CACHE=DIR') as string,
    })
    expect(made()).toEqual([])
  })
})

test('without a compiler it says what is missing, and the way out', async () => {
  vi.stubEnv('PATH', bin)
  expect(await libraryAvailable()).toMatchObject({
    available: false,
    missing: expect.stringMatching(/C compiler is missing|on Linux alone/) as string,
    remedy: expect.stringContaining('--runtime compose') as string,
  })
  await expect(build()).rejects.toMatchObject({ exitCode: 3 })
  expect(made()).toEqual([])
})

test('without the headers of the C library it says what the compiler says', async () => {
  compiler(
    'if [ "$1" = --version ]; then echo bare; exit; fi\necho "faults.c:1: fatal error: stdio.h: no such file" >&2; exit 1',
  )
  if (process.platform !== 'linux') return
  expect(await libraryAvailable()).toMatchObject({
    available: false,
    missing: expect.stringContaining('fatal error: stdio.h: no such file') as string,
  })
})
