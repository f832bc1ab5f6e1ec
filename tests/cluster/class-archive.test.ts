/** The classes of Apache Kafka laid out for the JVM: made for the Java that is there, taken by nodes, and done without where it cannot be. */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { archiveArguments } from '#scripts/cluster/apache-kafka/class-archive.ts'
import { apacheKafka } from '#scripts/cluster/apache-kafka/engine.ts'
import { describeWith, kafkaJars } from '../machine.ts'

describeWith(['java', 'apache-kafka'], 'an archive of the classes of Apache Kafka', () => {
  const version = path.basename(kafkaJars)
  let folder: string
  const told: string[] = []
  const prepare = () => {
    told.length = 0
    return apacheKafka(version).prepare({ progress: text => told.push(text), signal: undefined })
  }
  const made = () => readdirSync(path.join(folder, `${version}.classes`)).sort()

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'faultline-class-archive-'))
    symlinkSync(kafkaJars, path.join(folder, version))
    vi.stubEnv('KAFKA_CACHE', folder)
    vi.stubEnv('KAFKA_CLASS_ARCHIVE', '')
  })
  afterEach(() => {
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true })
  })

  /** A Java that does this before it is the one of this machine. */
  function javaThat(script: string): void {
    const java = realpathSync(execFileSync('which', ['java'], { encoding: 'utf8' }).trim())
    mkdirSync(path.join(folder, 'home', 'bin'), { recursive: true })
    writeFileSync(path.join(folder, 'home', 'bin', 'java'), `#!/bin/sh\n${script}\nexec ${java} "$@"\n`, {
      mode: 0o755,
    })
    vi.stubEnv('JAVA_HOME', path.join(folder, 'home'))
  }

  test('is made once for a Java, and a JVM takes its classes from there', { timeout: 600_000 }, async () => {
    await prepare()
    expect(told).toEqual([expect.stringContaining('Laying out the classes')])
    expect(made()).toEqual([expect.stringMatching(/^kafka-\w+\.jsa$/), 'newest'])
    await prepare()
    expect(told).toEqual([])
    const first = archiveArguments(version)
    const args = [...first, '-Xlog:class+load', '-cp', `${path.join(folder, version)}/*`]
    // Without settings it prints how it is used, and ends with 1.
    const node = execFileSync('sh', ['-c', 'java "$@" kafka.Kafka 2>/dev/null || true', 'sh', ...args], {
      encoding: 'utf8',
    })
    expect(node).toMatch(/kafka\.Kafka\$? source: shared objects file \(top\)/)

    // What is said for the environment's sake makes no other Java.
    javaThat('[ "$1" = -version ] && echo Picked up JAVA_TOOL_OPTIONS: -Dx=y >&2')
    await prepare()
    expect(told).toEqual([])
    javaThat('[ "$1" = -version ] && echo another >&2')
    await prepare()
    expect(told).toEqual([expect.stringContaining('Laying out the classes')])
    expect(archiveArguments(version)).not.toEqual(first)
    vi.stubEnv('JAVA_HOME', '')
    await prepare()
    expect(told).toEqual([])
    expect(archiveArguments(version)).toEqual(first)
  })

  test('is done without where a node does not start, and that is said', { timeout: 600_000 }, async () => {
    javaThat('case "$*" in *ArchiveClassesAtExit*) echo no room >&2; exit 3 ;; esac')
    await prepare()
    expect(told).toEqual([
      expect.stringContaining('Laying out the classes'),
      expect.stringContaining('nodes start without: a node did not start; it said last: no room'),
    ])
    expect(archiveArguments(version)).toEqual([])
    expect(made()).toEqual([])
  })

  test('is tried once where a Java makes none', { timeout: 600_000 }, async () => {
    javaThat('case "$*" in *ArchiveClassesAtExit*) echo Kafka Server started; exec sleep 60 ;; esac')
    await prepare()
    expect(told.at(-1)).toContain('nodes start without: this Java makes no archive of them')
    await prepare()
    expect(told).toEqual([])
    expect(archiveArguments(version)).toEqual([])
  })

  test('is not kept when it is broken off in the middle', { timeout: 600_000 }, async () => {
    const begun = path.join(folder, 'begun')
    javaThat(`case "$*" in *ArchiveClassesAtExit*) touch ${begun} ;; esac`)
    const controller = new AbortController()
    const preparing = apacheKafka(version).prepare({ progress: text => told.push(text), signal: controller.signal })
    const outcome = preparing.then(
      () => 'made',
      () => 'broken off',
    )
    await expect.poll(() => existsSync(begun), { timeout: 300_000 }).toBe(true)
    controller.abort()
    expect(await outcome).toBe('broken off')
    expect(made()).toEqual([])
  })

  test('is not made and not taken where nobody wants it', async () => {
    vi.stubEnv('KAFKA_CLASS_ARCHIVE', 'none')
    await prepare()
    expect(told).toEqual([])
    expect(archiveArguments(version)).toEqual([])
  })
})
