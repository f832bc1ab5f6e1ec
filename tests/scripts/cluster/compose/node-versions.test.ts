import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ComposeVersions, imagesFile } from '#scripts/cluster/compose/node-versions.ts'
import { readNodeVersion, writeNodeVersion } from '#scripts/cluster/node-version.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { keepStateIn, nodeDirectory } from '#scripts/cluster/state.ts'

const name = 'other-images'
let home: string
const services = (): unknown => (JSON.parse(readFileSync(imagesFile(name), 'utf8')) as { services: unknown }).services

/** Images are there by their names; containers run what `images` says, and tell `log`. */
function versions(engine: 'faultline' | 'apache-kafka', images: ReadonlyMap<number, string>, log = '') {
  const spec = clusterSpec({ runtime: 'compose', name, engine })
  return new ComposeVersions(
    spec,
    {
      imageOf: id => Promise.resolve(images.get(id)),
      log: () => Promise.resolve(log),
    },
    version => Promise.resolve(`image:${version}`),
  )
}

beforeEach(() => {
  home = mkdtempSync(path.join(tmpdir(), 'faultline-images-'))
  keepStateIn(home, name)
  for (const id of [1, 2, 3]) mkdirSync(nodeDirectory(name, id), { recursive: true })
})
afterEach(() => rmSync(home, { recursive: true }))

test('a node that is another version has its own image in a second Compose file, and none when it is as the cluster', async () => {
  const made = versions('faultline', new Map())
  await Promise.all([made.set(1, 'a'), made.set(2, 'b')])
  expect(services()).toEqual({ 'broker-1': { image: 'image:a' }, 'broker-2': { image: 'image:b' } })
  await made.set(1, undefined)
  expect(services()).toEqual({ 'broker-2': { image: 'image:b' } })
  expect([1, 2].map(id => readNodeVersion(name, id))).toEqual([undefined, 'b'])
})

test('a cluster that is started again has the images that its nodes had, or none when it is another release', async () => {
  const made = versions('faultline', new Map())
  writeNodeVersion(name, 3, 'c')
  await made.renew({})
  expect(services()).toEqual({ 'broker-3': { image: 'image:c' } })
  made.forget()
  expect(existsSync(imagesFile(name))).toBe(false)
  expect(readNodeVersion(name, 3)).toBeUndefined()
})

test('the proof is the image of the container, and of Apache Kafka what it says of itself', async () => {
  const images = new Map([[2, 'image:4.3.1']])
  const kafka = versions('apache-kafka', images, 'INFO Kafka version: 4.3.1 (AppInfo)')
  expect(await kafka.prove(2, '4.3.1')).toBe('the image image:4.3.1, and says that it is 4.3.1')
  await expect(kafka.prove(2, '3.9.1')).rejects.toThrow('Node 2 was to run image:3.9.1, but runs image:4.3.1.')
  await expect(kafka.prove(1, '4.3.1')).rejects.toThrow('Node 1 was to run image:4.3.1, but runs nothing.')
  await expect(versions('apache-kafka', images, 'Kafka version: 3.9.1').prove(2, '4.3.1')).rejects.toThrow(
    'Node 2 was to run 4.3.1, but says that it is 3.9.1.',
  )
  expect(await versions('faultline', images).prove(2, '4.3.1')).toBe('the image image:4.3.1')
})
