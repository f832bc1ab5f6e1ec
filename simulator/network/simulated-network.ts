/**
 * The network of a world: hosts, listeners, connections. What a kernel does (handshake, retransmission, resets for processes that are
 * gone) happens here; what a process sees of one connection is in endpoint.ts.
 */
import {
  type Address,
  type Listener,
  type Network,
  NetworkError,
  type Socket,
  type SocketHandlers,
} from '#broker/environment/environment.ts'
import type { SimulatedNode } from '../world/node.ts'
import { Prng } from '../world/prng.ts'
import type { World } from '../world/world.ts'
import { Endpoint } from './endpoint.ts'
import { Links } from './links.ts'

interface Listening {
  readonly node: SimulatedNode
  readonly incarnation: number
  readonly accept: (socket: Socket) => void
}

/** Names under which a host knows itself. */
const ownNames: ReadonlySet<string> = new Set(['', '0.0.0.0', '::', '127.0.0.1', '::1', 'localhost'])
const firstFreePort = 32_768
const firstRetryUs = 1_000_000
/** Longest pause of a kernel between two attempts to get a packet through. */
const retransmitPauseUsMax = 200_000

/** TLS would bring the machine's own randomness and threads into a world that has to replay. */
function noTls(): NetworkError {
  return new NetworkError('TLS', 'the simulated network has no TLS; use PLAINTEXT or SASL_PLAINTEXT listeners here')
}

export class SimulatedNetwork {
  readonly world: World
  readonly links: Links
  /** Ends with packets that wait for a link or a machine. */
  readonly stuck = new Set<Endpoint>()
  readonly #listeners = new Map<string, Listening>()
  readonly #endpoints = new Map<SimulatedNode, Set<Endpoint>>()
  readonly #nextPorts = new Map<string, number>()
  readonly #random: Prng

  constructor(world: World) {
    this.world = world
    this.links = new Links(world.seed, world.settings)
    this.#random = new Prng(world.seed, 'network')
  }

  /** The network as the process that now runs on the node sees it. */
  for(node: SimulatedNode): Network {
    return {
      listen: (address, accept, tls) => {
        if (tls !== undefined) return Promise.reject(noTls())
        return this.#listen(node, address, accept)
      },
      connect: (address, handlers, tls) => {
        if (tls !== undefined) throw noTls()
        return this.#connect(node, address, handlers)
      },
    }
  }

  // ------------------------------------------------------------------------------------------------------------- faults

  /** Cuts the link in that direction: packets are lost, connections hang. Cuts add up; each wants its heal. */
  cut(from: string, to: string): void {
    this.links.cut(from, to)
    this.world.trace.add('network', 'info', 'Link cut', { from, to })
  }

  heal(from: string, to: string): void {
    if (!this.links.heal(from, to)) return
    this.world.trace.add('network', 'info', 'Link healed', { from, to })
    this.#retransmit(endpoint => endpoint.node.name === from && endpoint.remoteHost === to)
  }

  /** Resets every open connection between the two hosts, as a firewall that forgot its state would. */
  reset(a: string, b: string): void {
    for (const endpoint of this.#all()) {
      const { node, remoteHost } = endpoint
      if ((node.name === a && remoteHost === b) || (node.name === b && remoteHost === a)) this.#resetLater(endpoint)
    }
  }

  /** Packets for closed sockets are answered with a reset to whoever sent them. */
  resetSender(receiver: Endpoint): void {
    const sender = receiver.peer
    if (sender === undefined || this.links.isCut(receiver.node.name, receiver.remoteHost)) return
    this.#resetLater(sender, this.links.latencyUs(receiver.node.name, receiver.remoteHost))
  }

  // ---------------------------------------------------------------------------------------------- lives of the machines

  processEnded(node: SimulatedNode): void {
    this.#forgetListeners(node)
    for (const endpoint of this.#take(node)) endpoint.abandon(this.#random.chance(1, 2) ? 'reset' : 'end')
  }

  wentDark(node: SimulatedNode): void {
    this.#forgetListeners(node)
    for (const endpoint of this.#take(node)) endpoint.goDark()
  }

  /** The kernel of the machine answers again: with resets, for connections it has never heard of. */
  poweredUp(node: SimulatedNode): void {
    this.#retransmit(endpoint => endpoint.peer?.node === node)
  }

  // -------------------------------------------------------------------------------------------------------------- calls

  #listen(node: SimulatedNode, address: Address, accept: (socket: Socket) => void): Promise<Listener> {
    const listening: Listening = { node, incarnation: node.incarnation, accept }
    return new Promise((resolve, reject) => {
      this.world.schedule('listen', node, 0, () => {
        if (!ownNames.has(address.host) && address.host !== node.name && address.host !== node.ip) {
          return reject(bindError('EADDRNOTAVAIL', address, `this machine is called ${node.name}`))
        }
        const port = address.port === 0 ? this.#freePort(node.name) : address.port
        const name = `${node.name}:${port}`
        if (this.#listeners.has(name)) return reject(bindError('EADDRINUSE', address, 'the port is in use'))
        this.#listeners.set(name, listening)
        const close = (): Promise<void> => this.#closeListener(name, listening)
        resolve({ address: { host: address.host, port }, close })
      })
    })
  }

  #closeListener(name: string, listening: Listening): Promise<void> {
    if (this.#listeners.get(name) === listening) this.#listeners.delete(name)
    return new Promise(resolve => {
      this.world.schedule('listen', listening.node, 0, resolve)
    })
  }

  #connect(node: SimulatedNode, address: Address, handlers: SocketHandlers & { opened(): void }): Socket {
    const target = ownNames.has(address.host) ? node : this.world.findNode(address.host)
    const local = { host: node.ip, port: this.#freePort(node.name) }
    const endpoint = new Endpoint(this, node, { local, remote: address, remoteHost: target?.name ?? address.host })
    endpoint.handle(handlers)
    this.#own(endpoint)
    if (target !== undefined) this.#attempt(endpoint, handlers, { waitUs: firstRetryUs, spentUs: 0 })
    else this.#refuse(endpoint, 'ENOTFOUND', 'the host name cannot be resolved', 1000)
    return endpoint
  }

  /** One SYN. Lost ones are sent again after 1, 2, 4 … seconds. */
  #attempt(endpoint: Endpoint, handlers: { opened(): void }, retry: { waitUs: number; spentUs: number }): void {
    const from = endpoint.node.name
    const to = endpoint.remoteHost
    this.world.schedule('control', undefined, this.links.latencyUs(from, to), () => {
      if (!endpoint.isAlive || endpoint.isClosed) return
      const target = this.world.node(to)
      const lost = this.links.isCut(from, to) || this.links.isCut(to, from)
      if (lost || target.state === 'off') return this.#attemptAgain(endpoint, handlers, retry)
      const backUs = this.links.latencyUs(to, from)
      const listening = this.#listeners.get(`${to}:${endpoint.remote.port}`)
      if (listening === undefined) return this.#refuse(endpoint, 'ECONNREFUSED', 'nobody listens there', backUs)
      this.#establish(endpoint, handlers, listening, backUs)
    })
  }

  #attemptAgain(endpoint: Endpoint, handlers: { opened(): void }, retry: { waitUs: number; spentUs: number }): void {
    const spentUs = retry.spentUs + retry.waitUs
    if (spentUs > this.world.settings.connectTimeoutMs * 1000) {
      return this.#refuse(endpoint, 'ETIMEDOUT', 'the host does not answer', 0)
    }
    this.world.schedule('control', undefined, retry.waitUs, () => {
      this.#attempt(endpoint, handlers, { waitUs: retry.waitUs * 2, spentUs })
    })
  }

  #establish(client: Endpoint, handlers: { opened(): void }, listening: Listening, backUs: number): void {
    const server = new Endpoint(this, listening.node, {
      local: { host: listening.node.ip, port: client.remote.port },
      remote: client.local,
      remoteHost: client.node.name,
    })
    this.#own(server)
    server.opened(client, backUs)
    const accepting = this.world.schedule('accept', listening.node, 0, () => {
      if (!server.isClosed) listening.accept(server)
    })
    // Whoever listened is gone between the SYN and the accept: its kernel has reset the connection already.
    accepting.lost = () => {}
    this.world.schedule('opened', client.node, backUs, () => {
      const wasClosed = client.isClosed
      client.opened(server, 0)
      if (!wasClosed) handlers.opened()
    })
  }

  #refuse(endpoint: Endpoint, code: string, why: string, delayUs: number): void {
    const { host, port } = endpoint.remote
    this.world.schedule('closed', endpoint.node, delayUs, () => {
      if (endpoint.isAlive)
        endpoint.fail(new NetworkError(code, `Connection with ${host}:${port} failed: ${why} (${code})`))
    })
  }

  // -------------------------------------------------------------------------------------------------------- bookkeeping

  #own(endpoint: Endpoint): void {
    let owned = this.#endpoints.get(endpoint.node)
    if (owned === undefined) this.#endpoints.set(endpoint.node, (owned = new Set()))
    // Closed ones are let go when there are many, not one by one.
    if (owned.size > 256) for (const old of owned) if (old.isClosed && !old.isStuck) owned.delete(old)
    owned.add(endpoint)
  }

  #take(node: SimulatedNode): Iterable<Endpoint> {
    const owned = this.#endpoints.get(node) ?? new Set()
    this.#endpoints.delete(node)
    return owned
  }

  *#all(): Iterable<Endpoint> {
    for (const owned of this.#endpoints.values()) yield* owned
  }

  #retransmit(which: (endpoint: Endpoint) => boolean): void {
    for (const endpoint of this.stuck) {
      if (which(endpoint)) endpoint.retransmit(this.#random.below(retransmitPauseUsMax))
    }
  }

  #resetLater(endpoint: Endpoint, delayUs = 0): void {
    this.world.schedule('closed', endpoint.node, delayUs, () => endpoint.arriveReset())
  }

  #forgetListeners(node: SimulatedNode): void {
    for (const [name, listening] of this.#listeners) if (listening.node === node) this.#listeners.delete(name)
  }

  #freePort(host: string): number {
    const port = this.#nextPorts.get(host) ?? firstFreePort
    this.#nextPorts.set(host, port >= 65_535 ? firstFreePort : port + 1)
    return port
  }
}

function bindError(code: string, address: Address, why: string): NetworkError {
  return new NetworkError(code, `Cannot listen on ${address.host}:${address.port}: ${why} (${code})`)
}
