/** Orders for faults inside Apache Kafka, with a node of which there is but the folder that the library reads. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setImmediate as tick } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { KafkaNodeFaults, type KafkaNode } from '#scripts/cluster/apache-kafka/node-faults.ts'

/** Files of the folder, and what a look at one of them may throw. */
const files = new Map<string, Buffer>()
let refuse: (file: string) => void

const node: KafkaNode = {
  isRunning: true,
  isPaused: false,
  startedAt: 'then',
  beside: {},
  logCommand: 'logs',
  async read(file) {
    await tick()
    refuse(file)
    return files.get(file)
  },
  async write(file, content) {
    await tick()
    files.set(file, content)
    // As the library does: it takes notice.
    const state = Buffer.alloc(16 + 32 * 48 + 8 + 32 * 8)
    state.writeBigInt64LE(BigInt(/^faultline (\d+)/.exec(content.toString())![1]!), 0)
    files.set('state', state)
  },
  probe: () => Promise.reject(new Error('nobody asks for a proof')),
}

const order = { kind: 'slow-disk', parameters: { delay: 5 }, proof: false }
const ids = async (faults: KafkaNodeFaults) => (await faults.list(1)).map(({ id }) => id)

let folder: string
const command = () =>
  new KafkaNodeFaults(
    'mine',
    () => Promise.resolve(node),
    id => path.join(folder, `node-${id}.lock`),
  )
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'faultline-rules-'))
  files.clear()
  refuse = () => undefined
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
  refuse = file => {
    if (isWritten || file !== 'state' || !files.get('rules')!.includes('slow-disk-1-2')) return
    isWritten = true
    throw new Error('the engine has gone away')
  }
  await expect(command().add(1, order)).rejects.toThrow(/^the engine has gone away$/)
  expect(isWritten).toBe(true)
  expect(await ids(command())).toEqual([earlier.id])
})

test('why a fault was not added is told also when it cannot be taken back', async () => {
  refuse = file => {
    if (files.has('rules')) throw new Error(`nobody answers about ${file}`)
  }
  await expect(command().add(1, order)).rejects.toThrow(
    'nobody answers about state\nIt could not be taken back: nobody answers about rules',
  )
})

test('rules that are cut off are known as such, and are no reason to lose those that are whole', async () => {
  expect(await command().canBeRead(1)).toBe(true)
  await command().add(1, order)
  expect(await command().canBeRead(1)).toBe(true)
  files.set('rules', files.get('rules')!.subarray(0, 20))
  expect(await command().canBeRead(1)).toBe(false)
  await expect(command().list(1)).rejects.toThrow('are damaged')
})

test('a fault that neither the library nor anything beside the node carries out is refused', async () => {
  const refused = command().add(1, { kind: 'memory-pressure', parameters: { size: 5 }, proof: false })
  await expect(refused).rejects.toThrow('The fault memory-pressure is not there inside the nodes of mine.')
  expect(files.size).toBe(0)
})
