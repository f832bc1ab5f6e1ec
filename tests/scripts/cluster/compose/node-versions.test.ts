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

/** Which image a name means now, where it is not `id of NAME`. */
let ids: Map<string, string | undefined>
const idOf = (image: string) => `id of ${image}`

/** Images are there by their names; containers run what `images` says, and tell `log`. */
function versions(engine: 'faultline' | 'apache-kafka', images: ReadonlyMap<number, string>, log = '') {
  const spec = clusterSpec({ runtime: 'compose', name, engine })
  return new ComposeVersions(
    spec,
    {
      inspect: id => {
        const image = images.get(id)
        return Promise.resolve(image === undefined ? undefined : { Image: idOf(image), Config: { Image: image } })
      },
      log: () => Promise.resolve(log),
    },
    version => Promise.resolve(`image:${version}`),
    image => Promise.resolve(ids.has(image) ? ids.get(image) : idOf(image)),
  )
}

beforeEach(() => {
  ids = new Map()
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

test('an image that got the name of the one which a node runs is another version, and the proof is not its name', async () => {
  const images = new Map([
    [1, 'image:a'],
    [2, 'image:a'],
  ])
  const made = versions('faultline', images)
  await made.set(1, 'a')
  const isOther = async (image: string | undefined) => [await made.isOther(1, image), await made.isOther(2, image)]
  expect([await isOther('image:a'), await isOther('image:b'), await isOther(undefined)]).toEqual([
    [false, false],
    [true, true],
    [true, true],
  ])
  expect(await made.isOther(3, 'image:a')).toBe(true)
  // Gone, it is another one for nobody.
  ids.set('image:a', undefined)
  expect(await isOther('image:a')).toEqual([false, false])
  expect(await made.prove(1, 'a')).toBe('the image image:a')
  // Nobody asked node 2 to be anything but the cluster.
  ids.set('image:a', 'id of a later build')
  expect(await isOther('image:a')).toEqual([true, false])
  await expect(made.prove(1, 'a')).rejects.toThrow(
    'Node 1 was to run image:a, which is id of a later build, but runs id of image:a, which had that name before.',
  )
})
