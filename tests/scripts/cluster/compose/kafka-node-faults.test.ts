/** Orders for faults inside Apache Kafka, with an engine of containers of which there is but the volume that the library reads. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { TarFile } from '#scripts/cluster/compose/tar.ts'

/** Files of the volume, and what a look at one of them may throw. */
const volume = vi.hoisted(() => ({
  files: new Map<string, Buffer>(),
  refuse: (_path: string): void => undefined,
  tick: () => new Promise<void>(resolve => setImmediate(resolve)),
}))

vi.mock('#scripts/cluster/compose/container.ts', () => ({
  async readContainerFile(_container: string, file: string) {
    await volume.tick()
    volume.refuse(file)
    const content = volume.files.get(file)
    return content === undefined ? undefined : { content, uid: 0, gid: 0, mode: 0o644 }
  },
  async writeContainerFile(_container: string, file: string, { content }: TarFile) {
    await volume.tick()
    volume.files.set(file, content)
    // As the library does: it takes notice.
    const state = Buffer.alloc(16 + 32 * 48 + 8 + 32 * 8)
    state.writeBigInt64LE(BigInt(/^faultline (\d+)/.exec(content.toString())![1]!), 0)
    volume.files.set('/var/lib/faultline/state', state)
  },
}))

const { KafkaNodeFaults } = await import('#scripts/cluster/compose/kafka-node-faults.ts')

const rulesFile = '/var/lib/faultline/rules'
const order = { kind: 'slow-disk', parameters: { delay: 5 }, proof: false }
const ids = async (faults: InstanceType<typeof KafkaNodeFaults>) => (await faults.list(1)).map(({ id }) => id)

let folder: string
const command = () =>
  new KafkaNodeFaults(
    'mine',
    () => Promise.resolve({ name: 'node', isRunning: true, isPaused: false, startedAt: 'then' }),
    id => path.join(folder, `node-${id}.lock`),
  )
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'faultline-rules-'))
  volume.files.clear()
  volume.refuse = () => undefined
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('of commands that add and heal at the same time none takes away what another did', async () => {
  const first = await command().add(1, order)
  await Promise.all([
    ...Array.from({ length: 4 }, () => command().add(1, order)),
    command().heal(1, [first.id]),
    command().add(1, order),
  ])
  expect((await ids(command())).sort()).toEqual([2, 3, 4, 5, 6].map(number => `slow-disk-1-${number}`))
})

test('a fault that was written and then not seen is taken back, and the error is that of the look', async () => {
  const earlier = await command().add(1, order)
  let isWritten = false
  volume.refuse = file => {
    if (isWritten || file !== '/var/lib/faultline/state' || !volume.files.get(rulesFile)!.includes('slow-disk-1-2'))
      return
    isWritten = true
    throw new Error('the engine has gone away')
  }
  await expect(command().add(1, order)).rejects.toThrow(/^the engine has gone away$/)
  expect(isWritten).toBe(true)
  expect(await ids(command())).toEqual([earlier.id])
})

test('why a fault was not added is told also when it cannot be taken back', async () => {
  volume.refuse = file => {
    if (volume.files.has(rulesFile)) throw new Error(`nobody answers about ${path.basename(file)}`)
  }
  await expect(command().add(1, order)).rejects.toThrow(
    'nobody answers about state\nIt could not be taken back: nobody answers about rules',
  )
})

test('rules that are cut off are known as such, and are no reason to lose those that are whole', async () => {
  expect(await command().canBeRead(1)).toBe(true)
  await command().add(1, order)
  expect(await command().canBeRead(1)).toBe(true)
  volume.files.set(rulesFile, volume.files.get(rulesFile)!.subarray(0, 20))
  expect(await command().canBeRead(1)).toBe(false)
  await expect(command().list(1)).rejects.toThrow('are damaged')
})
