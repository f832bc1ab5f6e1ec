/**
 * One end of a simulated TCP connection, as the process sees it, and the sending half of the kernel behind it. Bytes of one direction
 * arrive in order, whatever each packet's latency; packets that meet a dead link wait and are sent again when it heals.
 *
 * Like a kernel it goes on sending what was written when the process has ended; only a power failure takes that too.
 */
import { type Address, NetworkError, type Socket, type SocketHandlers } from '#broker/environment/environment.ts'
import type { SimulatedNode } from '../world/node.ts'
import { chunksCrc } from '../world/rolling-hash.ts'
import type { WorldEvent } from '../world/event-queue.ts'
import type { SimulatedNetwork } from './simulated-network.ts'

export interface Packet {
  readonly number: number
  readonly kind: 'data' | 'end' | 'reset'
  readonly bytes: Buffer
}

const noBytes = Buffer.alloc(0)
/** Bytes on their way or unread before `write` answers false. */
const windowBytes = 1 << 20
/** A closing end waits so long for the other one. */
const lingerUs = 10_000_000

export class Endpoint implements Socket {
  readonly remote: Address
  readonly local: Address
  readonly node: SimulatedNode
  /** Name of the host at the other end. */
  readonly remoteHost: string
  readonly incarnation: number
  /** The other end; undefined until the connection is open. */
  peer: Endpoint | undefined
  readonly #network: SimulatedNetwork
  #handlers: SocketHandlers | undefined
  #state: 'connecting' | 'open' | 'ending' | 'closed' = 'connecting'
  #closedReported = false
  #paused = false
  /** Written before the connection was open. */
  #early: Packet[] = []
  #endWhenOpen = false
  // --- sending
  #nextNumber = 0
  #lastArrivalUs = 0
  #unreadBytes = 0
  #wantsDrain = false
  /** Packets that met a dead link, in order. */
  #parked: Packet[] = []
  #giveUp: WorldEvent | undefined
  // --- receiving
  #expected = 0
  readonly #ahead = new Map<number, Packet>()
  /** Arrived while paused, or before the process took the socket over. */
  #unread: Packet[] = []

  constructor(
    network: SimulatedNetwork,
    node: SimulatedNode,
    ends: { local: Address; remote: Address; remoteHost: string },
  ) {
    this.#network = network
    this.node = node
    this.incarnation = node.incarnation
    this.local = ends.local
    this.remote = ends.remote
    this.remoteHost = ends.remoteHost
  }

  /** The process of this end is in the life that opened it. */
  get isAlive(): boolean {
    return this.node.state === 'up' && this.node.incarnation === this.incarnation
  }

  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  get isStuck(): boolean {
    return this.#parked.length > 0
  }

  // ------------------------------------------------------------------------------------------------ the process's side

  handle(handlers: SocketHandlers): void {
    this.#handlers = handlers
    if (this.#unread.length > 0) this.#schedule('data', () => this.#deliverUnread())
  }

  write(chunks: readonly Uint8Array[], written?: () => void): boolean {
    if ((this.#state !== 'open' && this.#state !== 'connecting') || !this.isAlive) {
      written?.()
      return true
    }
    // A kernel copies too.
    const bytes = Buffer.concat(chunks)
    written?.()
    if (bytes.length > 0) this.#sendBytes(bytes)
    this.#wantsDrain ||= this.#unreadBytes >= windowBytes
    return !this.#wantsDrain
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (this.#unread.length > 0) this.#schedule('data', () => this.#deliverUnread())
  }

  end(): void {
    if (this.#state === 'connecting') {
      this.#endWhenOpen = true
      return
    }
    if (this.#state !== 'open') return
    this.#state = 'ending'
    this.#send('end', noBytes)
    this.#network.world.schedule('closed', this.node, lingerUs, () => this.#close(undefined))
  }

  destroy(): void {
    if (this.#state === 'closed') return
    if (this.#state === 'open') this.#send(this.#unread.length > 0 ? 'reset' : 'end', noBytes)
    this.#state = 'closed'
    this.#report(undefined)
  }

  // ------------------------------------------------------------------------------------------------- the kernel's side

  /** The handshake is over on this end; the other end knows in `aheadUs`, and gets nothing before. */
  opened(peer: Endpoint, aheadUs: number): void {
    if (this.#state !== 'connecting') {
      peer.arriveReset()
      return
    }
    this.peer = peer
    this.#state = 'open'
    this.#lastArrivalUs = this.#network.world.nowUs + aheadUs
    for (const packet of this.#early) this.#transmit(packet, 0)
    this.#early = []
    if (this.#endWhenOpen) this.end()
  }

  /** The connection could not be opened, or the kernel gave it up. */
  fail(error: NetworkError): void {
    this.#close(error)
  }

  /** The process ended and its kernel closes the socket. */
  abandon(kind: 'end' | 'reset'): void {
    if (this.#state === 'open' || this.#state === 'ending') this.#send(kind, noBytes)
    this.#state = 'closed'
  }

  /** The machine went dark: nothing of this end is sent any more. */
  goDark(): void {
    this.#state = 'closed'
    this.#parked = []
    this.#cancelGiveUp()
  }

  /** The link is open again: what waited is sent once more, after the pause that a kernel makes between two attempts. */
  retransmit(delayUs: number): void {
    const packets = this.#parked
    this.#parked = []
    this.#cancelGiveUp()
    for (const packet of packets) this.#transmit(packet, delayUs)
  }

  arriveReset(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    const message = `Connection with ${this.remote.host}:${this.remote.port} failed: reset by the peer`
    this.#report(new NetworkError('ECONNRESET', message))
  }

  // ------------------------------------------------------------------------------------------------------------ sending

  #sendBytes(bytes: Buffer): void {
    const cut = this.#network.links.sliceAt(this.node.name, this.remoteHost, bytes.length)
    if (cut === undefined) return this.#send('data', bytes)
    this.#send('data', bytes.subarray(0, cut))
    this.#send('data', bytes.subarray(cut))
  }

  #send(kind: Packet['kind'], bytes: Buffer): void {
    const packet = { number: this.#nextNumber++, kind, bytes }
    this.#unreadBytes += bytes.length
    if (this.#state === 'connecting') this.#early.push(packet)
    else this.#transmit(packet, 0)
  }

  #transmit(packet: Packet, delayUs: number): void {
    const peer = this.peer!
    const { world, links } = this.#network
    const arrivesUs = world.nowUs + delayUs + links.latencyUs(this.node.name, this.remoteHost)
    this.#lastArrivalUs = Math.max(this.#lastArrivalUs, arrivesUs)
    const kind = packet.kind === 'data' ? 'data' : 'closed'
    const event = world.schedule(kind, peer.node, this.#lastArrivalUs - world.nowUs, () => this.#arrived(packet))
    event.lost = () => this.#arrivedAtNobody(packet)
    event.bytes = packet.bytes.length
    event.crc = chunksCrc([packet.bytes])
  }

  #arrived(packet: Packet): void {
    if (!this.peer!.isAlive) return this.#arrivedAtNobody(packet)
    if (this.#network.links.isCut(this.node.name, this.remoteHost)) return this.#park(packet)
    this.peer!.receive(packet)
  }

  /** The process at the other end is gone: its machine says so, unless it is dark or cannot be reached. */
  #arrivedAtNobody(packet: Packet): void {
    const peer = this.peer!
    const { links, world } = this.#network
    if (peer.node.state === 'off' || links.isCut(this.node.name, this.remoteHost)) return this.#park(packet)
    if (packet.kind !== 'data' || !this.isAlive) return
    if (links.isCut(this.remoteHost, this.node.name)) return
    const backUs = links.latencyUs(this.remoteHost, this.node.name)
    world.schedule('closed', this.node, backUs, () => this.arriveReset())
  }

  #park(packet: Packet): void {
    if (this.#state === 'closed' && !this.isAlive && this.node.state === 'off') return
    this.#parked.push(packet)
    this.#parked.sort((a, b) => a.number - b.number)
    this.#network.stuck.add(this)
    const { world } = this.#network
    this.#giveUp ??= world.schedule('control', undefined, world.settings.retransmitTimeoutMs * 1000, () =>
      this.#gaveUp(),
    )
  }

  #gaveUp(): void {
    this.#giveUp = undefined
    this.#parked = []
    this.#network.stuck.delete(this)
    if (this.#state === 'closed') return
    const message = `Connection with ${this.remote.host}:${this.remote.port} failed: timed out`
    this.#schedule('closed', () => this.#close(new NetworkError('ETIMEDOUT', message)))
  }

  #cancelGiveUp(): void {
    if (this.#giveUp !== undefined) this.#network.world.cancel(this.#giveUp)
    this.#giveUp = undefined
    this.#network.stuck.delete(this)
  }

  #consumed(bytes: number): void {
    this.#unreadBytes -= bytes
    if (!this.#wantsDrain || this.#unreadBytes > 0) return
    this.#wantsDrain = false
    this.#schedule('drain', () => {
      if (this.#state === 'open') this.#handlers?.drain?.()
    })
  }

  // ---------------------------------------------------------------------------------------------------------- receiving

  /** A packet is here; earlier ones may still be missing. */
  receive(packet: Packet): void {
    this.#ahead.set(packet.number, packet)
    for (;;) {
      const next = this.#ahead.get(this.#expected)
      if (next === undefined) return
      this.#ahead.delete(this.#expected++)
      this.#accept(next)
    }
  }

  #accept(packet: Packet): void {
    if (packet.kind === 'reset') return this.arriveReset()
    if (this.#state === 'closed') {
      // Somebody still writes to a socket that was closed here.
      if (packet.kind === 'data') this.#network.resetSender(this)
      return
    }
    if (this.#paused || this.#handlers === undefined || this.#unread.length > 0) this.#unread.push(packet)
    else this.#deliver(packet)
  }

  #deliverUnread(): void {
    while (!this.#paused) {
      const packet = this.#unread.shift()
      if (packet === undefined || this.#state === 'closed') return
      this.#deliver(packet)
    }
  }

  #deliver(packet: Packet): void {
    if (packet.kind === 'end') return this.#peerEnded()
    this.peer!.#consumed(packet.bytes.length)
    if (this.#state === 'open') this.#handlers!.data(packet.bytes)
  }

  #peerEnded(): void {
    if (this.#state === 'open') this.#send('end', noBytes)
    this.#close(undefined)
  }

  // ------------------------------------------------------------------------------------------------------------ closing

  #close(error: NetworkError | undefined): void {
    if (this.#closedReported) return
    this.#state = 'closed'
    this.#closedReported = true
    this.#handlers?.closed(error)
  }

  /** `closed` is never called from within a call of the process. */
  #report(error: NetworkError | undefined): void {
    this.#schedule('closed', () => this.#close(error))
  }

  #schedule(kind: 'data' | 'drain' | 'closed', run: () => void): void {
    if (this.isAlive) this.#network.world.schedule(kind, this.node, 0, run)
  }
}
