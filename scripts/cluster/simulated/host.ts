/**
 * The process behind `up --runtime simulated`: a simulated cluster that stays, in real time, with a real port per broker so that any
 * client can use it. What it loses against a lab's simulation is the replay: when clients ask is no longer decided by a seed.
 *
 * Started as `node host.ts NAME` by runtime.ts; ends when it is killed, or with the failure of the simulation on its standard error.
 */
import { appendFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { Node } from '#broker/node.ts'
import { World } from '#simulator/world/world.ts'
import { exitCodes, failure, messageOf, ToolkitError } from '../../errors.ts'
import { brokerIds, nodeIds } from '../cluster.ts'
import { ownProcess } from '../lifecycle.ts'
import { brokerPort, HOST } from '../ports.ts'
import { readSecurity } from '../security/material.ts'
import { nodeDirectory, readRecord, writeJson, writeRecord } from '../state.ts'
import { Gates } from './gates.ts'
import { type HostAnswer, type HostFile, hostFilePath, type HostRequest, nodeActions } from './host-protocol.ts'
import { RealTimePace } from './real-time-pace.ts'
import { hostOf, SimulatedCluster } from './simulated-cluster.ts'

const requestBytesMax = 1 << 16
const tenYearsMs = 10 * 365 * 86_400_000

async function main(name: string): Promise<void> {
  const record = readRecord(name)
  if (record === undefined) throw failure(`There is no cluster ${name} to simulate.`)
  const { spec, clusterId } = record
  /** By the names of machines. */
  const logFiles = new Map<string, string>()
  const makeFolders = (ids: readonly number[]): void => {
    for (const id of ids) {
      makeFolder(nodeDirectory(name, id))
      logFiles.set(hostOf(id), join(nodeDirectory(name, id), 'broker.log'))
    }
  }
  makeFolders(nodeIds(spec))
  const world = new World({
    seed: spec.seed,
    settings: { startWallMs: Date.now() },
    onLine: (line, node) => {
      const file = logFiles.get(node)
      if (file !== undefined) appendFileSync(file, `${line}\n`)
    },
  })
  const forEver = new Promise<void>(() => undefined)
  const ended = world.run(() => forEver, { limitMs: tenYearsMs, pace: new RealTimePace() })
  const cluster = new SimulatedCluster({
    world,
    spec,
    clusterId,
    security: readSecurity(spec),
    makeBroker: options => new Node(options),
    outside: id => `${HOST}:${brokerPort(spec, id)}`,
  })
  const outside = world.node('outside')
  outside.isServer = false
  outside.start()
  const gates = new Gates(world, outside)
  await gates.open(spec, nodeIds(spec))
  world.inject(() => cluster.startAll())
  const controlPort = await serveControl(async request => {
    if (request.do === 'grow') {
      const grown = { ...cluster.spec, added: (cluster.spec.added ?? 0) + request.by }
      const fresh = brokerIds(grown).slice(brokerIds(cluster.spec).length)
      await gates.open(grown, fresh)
      makeFolders(fresh)
      await inWorld(world, () => cluster.addBrokers(request.by))
      writeSpec(cluster)
    }
    if (request.do === 'remove') {
      await inWorld(world, () => cluster.removeBrokers(request.ids))
      writeSpec(cluster)
      gates.close(request.ids)
      for (const id of request.ids) {
        logFiles.delete(hostOf(id))
        rmSync(nodeDirectory(name, id), { recursive: true, force: true })
      }
    }
    return await inWorld(world, () => perform(cluster, request))
  })
  writeJson(hostFilePath(name), { process: await ownProcess(), controlPort } satisfies HostFile)
  await ended
}

/** Into the record, which a command may have taken away meanwhile. */
function writeSpec({ spec }: SimulatedCluster): void {
  const record = readRecord(spec.name)
  if (record !== undefined) writeRecord({ ...record, spec })
}

/** Runs `work` as something that happens in the world, and brings its outcome out. */
function inWorld<T>(world: World, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => world.inject(() => void work().then(resolve, reject)))
}

async function perform(cluster: SimulatedCluster, request: HostRequest): Promise<HostAnswer> {
  switch (request.do) {
    case 'states':
    case 'grow':
    case 'remove':
      break
    case 'partition':
      await cluster.partition(request.groups)
      break
    case 'cut-one-way':
      await cluster.cutOneWay(request.from, request.to)
      break
    case 'heal-partition':
      await cluster.healPartition()
      break
    case 'power-failure':
      await cluster.powerFailure(request.ids)
      break
    case 'fault-add':
      return { fault: await cluster.nodeFaults.add(request.id, request.order) }
    case 'fault-list':
      return { faults: await cluster.nodeFaults.list(request.id) }
    case 'fault-heal':
      return { faults: await cluster.nodeFaults.heal(request.id, request.ids) }
    default:
      if (!nodeActions.includes(request.do)) throw failure(`A simulated cluster cannot ${request.do as string}.`)
      await cluster[request.do](request.id)
  }
  return { states: (await cluster.nodes()).map(({ id, state }) => ({ id, state })) }
}

/** Resolves with the port. */
async function serveControl(perform: (request: HostRequest) => Promise<HostAnswer>): Promise<number> {
  const server = createServer((incoming, outgoing) => {
    void readBody(incoming)
      .then(body => perform(JSON.parse(body) as HostRequest))
      .catch((error: unknown): HostAnswer => {
        const { remedy, exitCode } =
          error instanceof ToolkitError ? error : { remedy: undefined, exitCode: exitCodes.failed }
        return { error: messageOf(error), remedy, exitCode }
      })
      .then(answer => outgoing.setHeader('content-type', 'application/json').end(JSON.stringify(answer)))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: HOST, port: 0 }, resolve)
  })
  return (server.address() as AddressInfo).port
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  if (incoming.method !== 'POST') throw failure('Expected POST with a request as JSON.')
  let text = ''
  for await (const chunk of incoming.setEncoding('utf8')) {
    text += chunk as string
    if (text.length > requestBytesMax) throw failure(`A request has at most ${requestBytesMax} bytes.`)
  }
  return text
}

const [name] = process.argv.slice(2)
if (name === undefined) throw failure('Expected the name of a cluster.')
main(name).catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
