/** What Maven says of a release that is not there, and of what may work the next time; and where the jars that it brings come to lie. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { fetchJars, jarsAreComplete, jarsDirectory, saysNoSuchRelease } from '#scripts/cluster/apache-kafka/jars.ts'

const failedGoal =
  '[ERROR] Failed to execute goal on project jars: Could not resolve dependencies for project jars:jars:pom:1: '
const central = 'central (https://maven.example/maven2)'

test.each([
  [
    'the repository says so',
    `Could not find artifact org.apache.kafka:kafka_2.13:jar:3.9.99 in ${central} -> [Help 1]`,
  ],
  [
    'it was said earlier',
    'org.apache.kafka:kafka_2.13:jar:3.9.99 was not found in https://maven.example/maven2 during a previous attempt. This failure was cached in the local repository and resolution is not reattempted until the update interval of central has elapsed or updates are forced -> [Help 1]',
  ],
  [
    'it was said earlier, in the words of Maven 3.6',
    'Failure to find org.apache.kafka:kafka_2.13:jar:3.9.99 in https://maven.example/maven2 was cached in the local repository, resolution will not be reattempted until the update interval of central has elapsed or updates are forced -> [Help 1]',
  ],
])('a release is not there when %s', (_, text) => {
  expect(saysNoSuchRelease(`${failedGoal}${text}`, '3.9.99')).toBe(true)
})

test.each([
  [
    'a network that fails',
    `Failed to collect dependencies at org.apache.kafka:kafka_2.13:jar:3.9.99: Failed to read artifact descriptor for org.apache.kafka:kafka_2.13:jar:3.9.99: Could not transfer artifact org.apache.kafka:kafka_2.13:pom:3.9.99 from/to ${central}: maven.example: Temporary failure in name resolution -> [Help 1]`,
  ],
  [
    'a network that failed earlier',
    'Failure to transfer org.apache.kafka:kafka_2.13:jar:3.9.99 from https://maven.example/maven2 was cached in the local repository, resolution will not be reattempted until the update interval of central has elapsed or updates are forced. Original error: Could not transfer artifact',
  ],
  [
    'another artifact that is not there',
    `Could not find artifact org.scala-lang:scala-library:jar:2.13.99 in ${central}`,
  ],
  ['another release', `Could not find artifact org.apache.kafka:kafka_2.13:jar:3.9.990 in ${central}`],
  [
    'a version with other letters where dots are',
    `Could not find artifact org.apache.kafka:kafka_2.13:jar:3x9x99 in ${central}`,
  ],
])('nothing is concluded from %s', (_, text) => {
  expect(saysNoSuchRelease(`${failedGoal}${text}`, '3.9.99')).toBe(false)
})

describe('a download', () => {
  const version = '3.9.1'
  let folder: string
  let cache: string
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'faultline-jars-'))
    cache = path.join(folder, 'cache of jars')
    vi.stubEnv('KAFKA_CACHE', cache)
    maven('')
  })
  afterEach(() => {
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true, force: true })
  })

  const usual = process.env['PATH'] ?? ''
  const fetch = async () => await fetchJars({ progress: () => undefined, signal: undefined }, version)
  const called = () => existsSync(path.join(folder, 'called'))

  /** Brings one jar. @param after  in the shell, what happens then */
  function maven(after: string): void {
    const script = `case "$1" in -version) exit;; esac
echo called >'${folder}/called'
for word; do case "$word" in -DoutputDirectory=*) out=\${word#*=};; esac; done
mkdir -p "$out" && echo bytes >"$out/kafka.jar"
${after}`
    mkdirSync(path.join(folder, 'bin'), { recursive: true })
    writeFileSync(path.join(folder, 'bin', 'mvn'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    vi.stubEnv('PATH', `${path.join(folder, 'bin')}:${usual}`)
  }

  test('has its place, and nothing of it lies anywhere else', async () => {
    await fetch()
    expect(readdirSync(cache)).toEqual([version])
    expect(readdirSync(path.join(cache, version)).toSorted()).toEqual(['.complete', 'kafka.jar'])
  })

  test('gives way to one that has come meanwhile, which nodes may run from', async () => {
    maven(
      `mkdir -p '${cache}/${version}'; echo theirs >'${cache}/${version}/kafka.jar'; : >'${cache}/${version}/.complete'`,
    )
    await fetch()
    expect(readFileSync(path.join(cache, version, 'kafka.jar'), 'utf8')).toBe('theirs\n')
    expect(readdirSync(cache)).toEqual([version])
  })

  test('comes to one place when several make it at the same time', async () => {
    await Promise.all([fetch(), fetch(), fetch()])
    expect(readdirSync(cache)).toEqual([version])
    expect(jarsAreComplete(version)).toBe(true)
  })

  test('is not begun where its place is somebody else’s, which stays', async () => {
    const important = path.join(cache, version, 'data', 'important')
    mkdirSync(path.dirname(important), { recursive: true })
    writeFileSync(important, 'years')
    await expect(fetch()).rejects.toMatchObject({
      message: expect.stringContaining(`belongs into ${path.join(cache, version)}, where something else is`) as string,
      remedy: expect.stringContaining('KAFKA_CACHE=DIR') as string,
    })
    expect(readFileSync(important, 'utf8')).toBe('years')
    expect(called()).toBe(false)
  })

  test.each([
    ['a folder', (place: string) => `mkdir -p '${place}/data'`],
    ['a file', (place: string) => `mkdir -p '${path.dirname(place)}'; echo years >'${place}'`],
  ])('does not take its place from somebody who was there first, with %s', async (_, comes) => {
    const place = path.join(cache, version)
    maven(comes(place))
    await expect(fetch()).rejects.toThrow('where something else is')
    expect(readdirSync(cache)).toEqual([version])
    expect(existsSync(path.join(place, 'data')) || readFileSync(place, 'utf8')).toBeTruthy()
  })

  test('lies where it was meant to, whatever directory a node runs in', () => {
    vi.stubEnv('KAFKA_CACHE', 'kc')
    expect(jarsDirectory(version)).toBe(path.join(process.cwd(), 'kc', version))
  })
})
