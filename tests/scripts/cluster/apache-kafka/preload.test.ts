/** What a JVM of Apache Kafka is started with for the library in front of it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { preloadEnvironment } from '#scripts/cluster/apache-kafka/preload.ts'

let folder: string
const inFolder = (...names: string[]) => path.join(folder, ...names)
const files = () => ({
  id: 1,
  propertiesFile: inFolder('server.properties'),
  dataDir: inFolder('data'),
  logDirs: [inFolder('data'), inFolder('data-2')],
})
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'faultline of a user: '))
  writeFileSync(inFolder('server.properties'), 'node.id=1\n')
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

test('is nothing without a folder of orders', () => {
  vi.stubEnv('LD_PRELOAD', 'libother.so')
  expect(preloadEnvironment(files())).toEqual({})
})

test('names the library by a path without blanks and colons, before what others have put there', () => {
  const faultDirectory = inFolder('faults')
  const data = `${inFolder('data')},${inFolder('data-2')}`
  const wanted = { FAULTLINE_FAULTS: faultDirectory, FAULTLINE_DATA: data }
  vi.stubEnv('LD_PRELOAD', '')
  expect(preloadEnvironment({ ...files(), faultDirectory })).toEqual({
    ...wanted,
    LD_PRELOAD: './faults/library/libfaults.so',
  })
  vi.stubEnv('LD_PRELOAD', 'libother.so')
  expect(preloadEnvironment({ ...files(), faultDirectory })).toEqual({
    ...wanted,
    LD_PRELOAD: './faults/library/libfaults.so:libother.so',
  })
})

test.each([
  ['outside of the others', '/elsewhere/metadata', '/elsewhere/metadata'],
  ['as seen from the node', 'metadata', () => inFolder('metadata')],
])('breaks the directory of the metadata log, too, %s', (_, setting, directory) => {
  writeFileSync(inFolder('server.properties'), `metadata.log.dir=${setting}\n`)
  const wanted = typeof directory === 'string' ? directory : directory()
  const { FAULTLINE_DATA: data } = preloadEnvironment({ ...files(), faultDirectory: inFolder('faults') })
  expect(data?.split(',')).toEqual([...files().logDirs, wanted])
})
