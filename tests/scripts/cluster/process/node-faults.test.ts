/** Nodes that end or freeze while they are asked for the faults inside them: what they keep is what there is to tell. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { faultSocketName, keptFaultsName } from '#broker/environment/faulty/control-protocol.ts'
import type { NodeStatus } from '#scripts/cluster/cluster.ts'
import { ProcessNodeFaults } from '#scripts/cluster/process/node-faults.ts'
import { nodeDirectory, readJson, writeJson } from '#scripts/cluster/state.ts'

let home: string
let state: NodeStatus
let server: Server
const faults = new ProcessNodeFaults('c', () => Promise.resolve(state))
const keptFile = () => path.join(nodeDirectory('c', 1), keptFaultsName)

beforeEach(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'faultline-nodes-'))
  process.env['FAULTLINE_HOME'] = home
  mkdirSync(nodeDirectory('c', 1), { recursive: true })
  writeJson(keptFile(), { added: 1, faults: [{ id: 'full-disk-1-1', kind: 'full-disk', parameters: { after: 0 } }] })
  state = 'running'
  server = createServer()
  await new Promise<void>(resolve => server.listen(path.join(nodeDirectory('c', 1), faultSocketName), resolve))
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
  delete process.env['FAULTLINE_HOME']
  rmSync(home, { recursive: true, force: true })
})

test.each<[string, NodeStatus, (socket: { destroy(): void }) => void]>([
  ['ends before it answers', 'dead', socket => socket.destroy()],
  ['is frozen before it answers', 'paused', () => undefined],
])('of a node that %s, what it will have again is listed', async (_, becomes, then) => {
  server.on('request', request => {
    state = becomes
    then(request.socket)
  })
  expect(await faults.list(1)).toMatchObject([{ id: 'full-disk-1-1', name: 'full-disk', hits: 0 }])
})

test.each<[NodeStatus, string]>([
  ['paused', './faultline resume 1 --name c'],
  ['dead', './faultline start 1 --name c'],
])('of a node that is %s, the way to a fault is: %s', async (is, remedy) => {
  state = is
  const refused = faults.add(1, { kind: 'slow-disk', parameters: { delay: 5 }, proof: false })
  await expect(refused).rejects.toMatchObject({ remedy })
})

test('of a node that ends before it answers, a fault is healed in what it keeps', async () => {
  server.on('request', request => {
    state = 'dead'
    request.socket.destroy()
  })
  expect(await faults.heal(1, ['full-disk-1-1'])).toMatchObject([{ id: 'full-disk-1-1' }])
  expect(readJson(keptFile())).toEqual({ added: 1, faults: [] })
})

test('a node that was started again meanwhile is asked again', async () => {
  let asked = 0
  server.on('request', (request, response) => {
    if (asked++ === 0) request.socket.destroy()
    else response.end('[]')
  })
  expect(await faults.list(1)).toEqual([])
  expect(asked).toBe(2)
})

test('where nobody can tell any more whether a node runs, nobody waits for its answer', async () => {
  let looks = 0
  const cannotTell = new Error('the engine of containers has gone')
  const blind = new ProcessNodeFaults('c', () =>
    looks++ === 0 ? Promise.resolve('running') : Promise.reject(cannotTell),
  )
  server.on('request', () => undefined)
  await expect(blind.list(1)).rejects.toBe(cannotTell)
})
