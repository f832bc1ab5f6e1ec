/** The start script of the image of Apache Kafka, with a Java that does nothing. */
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
  for (const folder of ['bin', 'config', 'formatted']) mkdirSync(inRoot(folder))
  writeFileSync(inRoot('bin', 'java'), '#!/bin/sh\n', { mode: 0o755 })
  writeFileSync(inRoot('formatted', 'bootstrap.checkpoint'), 'a checkpoint')
})
afterEach(() => rmSync(root, { recursive: true }))

/** As in a container with these settings, whose Kafka lies in `root`. */
function start(settings: Readonly<Record<string, string>>) {
  const script = readFileSync(path.join(projectRoot, 'images', 'apache-kafka', 'run'), 'utf8')
  const { status, stderr } = spawnSync('sh', ['-c', script.replaceAll('/opt/kafka', root)], {
    encoding: 'utf8',
    env: { PATH: `${inRoot('bin')}:${process.env['PATH']}`, KAFKA_VERSION: '4.3.1', KAFKA_NODE_ID: '7', ...settings },
  })
  return { status, stderr }
}

const formatted = (directory: string) => readFileSync(inRoot(directory, 'meta.properties'), 'utf8')

test('formats directories of logs that are not there, also beside one of the metadata', () => {
  const settings = { KAFKA_LOG_DIRS: inRoot('logs', 'deep'), KAFKA_METADATA_LOG_DIR: inRoot('metadata', 'deep') }
  expect(start(settings)).toEqual({ status: 0, stderr: '' })
  const [logs, metadata] = [formatted('logs/deep'), formatted('metadata/deep')]
  for (const each of [logs, metadata]) expect(each).toContain('\nnode.id=7\ndirectory.id=')
  expect(logs).not.toBe(metadata)
  expect(readFileSync(inRoot('metadata', 'deep', 'bootstrap.checkpoint'), 'utf8')).toBe('a checkpoint')
  // What is formatted stays.
  expect(start(settings)).toEqual({ status: 0, stderr: '' })
  expect([formatted('logs/deep'), formatted('metadata/deep')]).toEqual([logs, metadata])
})
