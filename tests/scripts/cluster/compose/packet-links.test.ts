/** Commands that change the faults of links at the same time, while nodes end and start: what is written down is what is in place. */
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PacketLinks, type PacketNode } from '#scripts/cluster/compose/packet-links.ts'

let home: string
let nodes: Map<number, PacketNode>
let networks: Map<string, Map<string, string>>
/** Is called before a command is carried out beside a container. */
let before: (container: string, command: string) => Promise<void> | void
/** What requests to other nodes print. */
let answers: string

beforeEach(() => {
  home = mkdtempSync(path.join(tmpdir(), 'faultline-packets-'))
  process.env['FAULTLINE_HOME'] = home
  mkdirSync(path.join(home, 'linked'))
  nodes = new Map()
  networks = new Map()
  before = () => undefined
  answers = ''
  for (const id of [1, 2, 3]) start(id, `10.0.0.${id}`)
})
afterEach(() => {
  delete process.env['FAULTLINE_HOME']
  rmSync(home, { recursive: true, force: true })
})

let runs = 0

function start(id: number, address: string): void {
  const container = `node-${id}`
  networks.set(container, new Map())
  nodes.set(id, { id, container, isRunning: true, startedAt: `${runs++}`, address, host: container, port: 9 })
}

function end(id: number): void {
  const node = nodes.get(id)
  if (node === undefined) throw new Error(`there is no node ${id}`)
  nodes.set(id, { ...node, isRunning: false, address: undefined })
  networks.delete(node.container)
}

/** Knows of the commands only which chain they make, with which addresses, and which they take away. */
async function run(container: string, [, , command = '']: readonly string[]) {
  await before(container, command)
  const network = networks.get(container)
  if (network === undefined) throw new Error(`cannot join the network of ${container}, which is not running`)
  for (const [, chain = '', rules = ''] of command.matchAll(/':(\S+) - \[0:0\]'(.*?) "\$jump"/g))
    network.set(chain, [...rules.matchAll(/-s (\S+)/g)].map(([, address]) => address).join(' '))
  for (const [, chain = ''] of command.matchAll(/iptables -w -X (\S+)/g)) network.delete(chain)
  const output = command.includes('/dev/tcp')
    ? answers
    : [...network.keys()].map(chain => `Chain ${chain} (1)\n`).join('')
  return { exitCode: 0, output }
}

/** As another command has it. */
function links(): PacketLinks {
  return new PacketLinks('linked', () => Promise.resolve([...nodes.values()]), {
    prepare: () => Promise.resolve(),
    run,
  })
}

const oneWay = (from: number, to: number) => ({
  kind: 'partition',
  from: [from],
  to: [to],
  parameters: { both: false },
})
const inPlace = () => Object.fromEntries([...networks].map(([name, chains]) => [name, Object.fromEntries(chains)]))

/** Holds the first command that matches, until it is let go. */
function gate(pattern: RegExp): { readonly reached: Promise<unknown>; open(): void } {
  const events = new EventTarget()
  let isOver = false
  before = async (_, command) => {
    if (isOver || !pattern.test(command)) return
    isOver = true
    const opened = once(events, 'open')
    events.dispatchEvent(new Event('reached'))
    await opened
  }
  return { reached: once(events, 'reached'), open: () => events.dispatchEvent(new Event('open')) }
}

test('of two that are added at the same time each has a number and a chain of its own, and both are healed', async () => {
  const held = gate(/dev\/tcp/)
  const first = links().add(oneWay(1, 2), true)
  await held.reached
  const second = links().add(oneWay(1, 3), false)
  held.open()
  expect([(await first).id, (await second).id]).toEqual(['partition-1', 'partition-2'])
  expect((await links().faults()).map(({ id }) => id)).toEqual(['partition-1', 'partition-2'])
  await links().heal('all')
  expect(inPlace()).toEqual({ 'node-1': {}, 'node-2': {}, 'node-3': {} })
})

test('one that is healed while another is added stays healed', async () => {
  await links().add(oneWay(1, 3), false)
  const held = gate(/dev\/tcp/)
  const adding = links().add(oneWay(1, 2), true)
  await held.reached
  const healing = links().heal(['partition-1'])
  held.open()
  await Promise.all([adding, healing])
  expect((await links().faults()).map(({ id }) => id)).toEqual(['partition-2'])
  expect(inPlace()).toEqual({ 'node-1': {}, 'node-2': { 'FL-partition-2': '10.0.0.1' }, 'node-3': {} })
})

test('a node that is started while its faults are healed keeps none of them', async () => {
  await links().add({ kind: 'partition', from: [1], to: [2, 3], parameters: { both: false } }, false)
  end(3)
  const held = gate(/iptables -w -X/)
  const healing = links().heal('all')
  await held.reached
  start(3, '10.0.0.3')
  const renewing = links().renew(3)
  held.open()
  await Promise.all([healing, renewing])
  expect(await links().faults()).toEqual([])
  expect(inPlace()).toEqual({ 'node-1': {}, 'node-2': {}, 'node-3': {} })
})

test('a node that gets the address of another one is not taken for it', async () => {
  await links().add(oneWay(1, 2), false)
  end(1)
  end(3)
  start(3, '10.0.0.1')
  await links().renew(3)
  expect(inPlace()['node-2']).toEqual({ 'FL-partition-1': '' })
  start(1, '10.0.0.3')
  await links().renew(1)
  expect(inPlace()['node-2']).toEqual({ 'FL-partition-1': '10.0.0.3' })
})

test('a node that ends while it is looked at is left out: it has no rules any more', async () => {
  await links().add(oneWay(1, 2), false)
  before = () => end(2)
  expect((await links().faults()).map(({ id }) => id)).toEqual(['partition-1'])
  start(2, '10.0.0.2')
  expect((await links().heal('all')).map(({ id }) => id)).toEqual(['partition-1'])
  expect(await links().faults()).toEqual([])
})

test('a node that was started counts as that, and the list tells what is not in place until it is', async () => {
  await links().add(oneWay(1, 2), false)
  end(2)
  start(2, '10.0.0.2')
  before = () => Promise.reject(new Error('no room for another container'))
  const warned = once(process, 'warning')
  await links().renew(2)
  expect(String((await warned)[0])).toContain('Node 2 was started, but not all faults of links are in place')
  before = () => undefined
  const missing = '; not at node 2, which somebody else has started'
  const trouble = '; may not be in place since node 2 was started: no room for another container'
  expect((await links().faults())[0]?.summary).toBe(`partition 1->2, by packet filters${missing}${trouble}`)
  await links().renew(2)
  expect((await links().faults())[0]?.summary).toBe('partition 1->2, by packet filters')
})

test.each([
  ['cut', 'has not answered', '2 1\n', true, 1],
  ['cut', 'has answered', '2 0\n', true, 11],
  ['loss', 'leads to a node that is down', '2 1\n', false, 1],
  ['loss', 'leads to a node that runs', '2 1\n', true, 11],
])('%s of a link that %s: it is asked again while that can show something', async (kind, _, printed, isUp, times) => {
  if (!isUp) end(2)
  answers = printed
  let asked = 0
  before = (_container, command) => void (asked += command.includes('/dev/tcp') ? 1 : 0)
  const added = links().add({ kind, from: [1], to: [2], parameters: { probability: 0.5 } }, true)
  if (kind === 'cut' && printed === '2 0\n') await expect(added).rejects.toThrow('did not take effect')
  else expect((await added).proofs).toMatchObject([{ link: '1->2', shown: undefined }])
  expect(asked).toBe(times)
})

test('what cannot be taken back hides nothing, and is in the list still', async () => {
  before = (_, command) => {
    throw new Error(command.includes('iptables -w -X') ? 'the engine is gone' : 'no room')
  }
  await expect(links().add(oneWay(1, 2), false)).rejects.toThrow(
    'no room\nIt could not be taken back: the engine is gone',
  )
  before = () => undefined
  expect((await links().faults()).map(({ id }) => id)).toEqual(['partition-1'])
  await links().heal('all')
  expect(readdirSync(path.join(home, 'linked'))).toEqual(['packets.json'])
})
