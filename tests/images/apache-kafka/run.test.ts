/** The start script of the image of Apache Kafka, with a Java that does nothing but say what it was given. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { projectRoot } from '#scripts/cluster/state.ts'

let root: string
const inRoot = (...names: string[]) => path.join(root, ...names)

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'faultline-image-'))
  for (const folder of ['bin', 'config', 'formatted', 'libs']) mkdirSync(inRoot(folder))
  writeFileSync(inRoot('bin', 'java'), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 })
  writeFileSync(inRoot('formatted', 'bootstrap.checkpoint'), 'a checkpoint')
})
afterEach(() => rmSync(root, { recursive: true }))

/** As in a container with these settings, whose Kafka and whose scripts lie in `root`. */
function start(settings: Readonly<Record<string, string>>) {
  const scripts = path.join(projectRoot, 'images', 'apache-kafka')
  for (const name of ['run', 'class-path', 'logging']) {
    const script = readFileSync(path.join(scripts, name), 'utf8')
    const here = script.replaceAll('/opt/kafka', root).replaceAll('/etc/kafka/docker/', `${inRoot('bin')}/`)
    writeFileSync(inRoot('bin', name), here, { mode: 0o755 })
  }
  const { status, stdout, stderr } = spawnSync(inRoot('bin', 'run'), {
    encoding: 'utf8',
    env: { PATH: `${inRoot('bin')}:${process.env['PATH']}`, KAFKA_VERSION: '4.3.1', KAFKA_NODE_ID: '7', ...settings },
  })
  return { status, stderr, arguments: stdout.trimEnd().split('\n') }
}

const formatted = (directory: string) => readFileSync(inRoot(directory, 'meta.properties'), 'utf8')

test('formats directories of logs that are not there, also beside one of the metadata', () => {
  const settings = { KAFKA_LOG_DIRS: inRoot('logs', 'deep'), KAFKA_METADATA_LOG_DIR: inRoot('metadata', 'deep') }
  expect(start(settings)).toMatchObject({ status: 0, stderr: '' })
  const [logs, metadata] = [formatted('logs/deep'), formatted('metadata/deep')]
  for (const each of [logs, metadata]) expect(each).toContain('\nnode.id=7\ndirectory.id=')
  expect(logs).not.toBe(metadata)
  expect(readFileSync(inRoot('metadata', 'deep', 'bootstrap.checkpoint'), 'utf8')).toBe('a checkpoint')
  // What is formatted stays.
  expect(start(settings)).toMatchObject({ status: 0, stderr: '' })
  expect([formatted('logs/deep'), formatted('metadata/deep')]).toEqual([logs, metadata])
})

test('gives Java the jars in one order, and the archive of their classes where there is one', () => {
  for (const jar of ['b.jar', 'c.jar', 'a.jar']) writeFileSync(inRoot('libs', jar), '')
  const settings = { KAFKA_LOG_DIRS: inRoot('logs') }
  const jars = ['a.jar', 'b.jar', 'c.jar'].map(jar => inRoot('libs', jar)).join(':')
  const without = start(settings).arguments
  expect(without.slice(-4)).toEqual(['-cp', jars, 'kafka.Kafka', inRoot('config', 'server.properties')])
  expect(without.join()).not.toContain('SharedArchiveFile')
  writeFileSync(inRoot('classes.jsa'), 'classes')
  const archive = `-XX:SharedArchiveFile=${inRoot('classes.jsa')}`
  const at = without.indexOf('-Djava.awt.headless=true')
  expect(start(settings).arguments).toEqual(without.toSpliced(at, 0, archive))
})

test.each([
  ['3.9.1', '-Dlog4j.configuration=file:'],
  ['4.0.0', '-Dlog4j2.configurationFile='],
])('logs as release %s does', (version, option) => {
  const given = start({ KAFKA_LOG_DIRS: inRoot('logs'), KAFKA_VERSION: version }).arguments
  expect(given.filter(each => each.startsWith(option))).toHaveLength(1)
})
