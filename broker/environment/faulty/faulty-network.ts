/**
 * A Network whose links can be dropped. What is written to a dropped link waits and goes out when it heals, as TCP would send it again;
 * what comes in waits in the kernel. An attempt to connect waits likewise.
 */
import {
  NetworkError,
  type Address,
  type Network,
  type Socket,
  type SocketHandlers,
  type TlsClient,
} from '../environment.ts'
import type { FaultPlan } from './fault-plan.ts'

export function faultyNetwork(base: Network, plan: FaultPlan): Network {
  return {
    listen: (address, accept, tls) =>
      base.listen(address, socket => accept(new FaultySocket(plan, socket, socket.remote)), tls),
    connect(address, handlers, tls) {
      const socket = new FaultySocket(plan, undefined, address)
      socket.connect(base, handlers, tls)
      return socket
    },
    checkTls: tls => base.checkTls?.(tls),
    download: (url, options) =>
      base.download?.(url, options) ?? Promise.reject(new NetworkError('DOWNLOAD', `${url}: not on this network`)),
  }
}

class FaultySocket implements Socket {
  readonly remote: Address
  readonly #plan: FaultPlan
  #base: Socket | undefined
  #closed = false
  #pausedByCaller = false
  #held: Uint8Array[] = []
  #endHeld = false
  #wantsDrain = false
  #open: (() => void) | undefined
  #handlers: SocketHandlers | undefined
  readonly #unlisten: () => void

  constructor(plan: FaultPlan, base: Socket | undefined, remote: Address) {
    this.#plan = plan
    this.#base = base
    this.remote = remote
    this.#unlisten = plan.onChange(() => this.#adapt())
  }

  get local(): Address {
    return this.#base?.local ?? { host: '', port: 0 }
  }

  get peerCertificate(): Buffer | undefined {
    return this.#base?.peerCertificate
  }

  get takenBytes(): number | undefined {
    return this.#base?.takenBytes
  }

  connect(base: Network, handlers: SocketHandlers & { opened(): void }, tls: TlsClient | undefined): void {
    this.#handlers = handlers
    this.#open = () => {
      this.#open = undefined
      this.#base = base.connect(this.remote, { ...this.#wrap(handlers), opened: () => handlers.opened() }, tls)
    }
    this.#adapt()
  }

  handle(handlers: SocketHandlers): void {
    this.#handlers = handlers
    this.#base!.handle(this.#wrap(handlers))
    this.#adapt()
  }

  write(chunks: readonly Uint8Array[], written?: () => void): boolean {
    if (this.#closed || this.#endHeld) {
      written?.()
      return true
    }
    if (this.#base !== undefined && this.#held.length === 0 && !this.#drops('out'))
      return this.#base.write(chunks, written)
    // A copy: nobody's memory should be kept for as long as a link is cut.
    this.#held.push(Buffer.concat(chunks))
    written?.()
    this.#wantsDrain = true
    return false
  }

  pause(): void {
    this.#pausedByCaller = true
    this.#base?.pause()
  }

  resume(): void {
    this.#pausedByCaller = false
    if (!this.#drops('in')) this.#base?.resume()
  }

  end(): void {
    if (this.#base !== undefined && this.#held.length === 0) this.#base.end()
    else this.#endHeld = true
  }

  destroy(): void {
    if (this.#base !== undefined) return this.#base.destroy()
    this.#open = undefined
    this.#close(undefined)
  }

  #drops(direction: 'in' | 'out'): boolean {
    if (this.#plan.isEmpty) return false
    for (const active of this.#plan.list()) {
      if (active.fault.dropsLink?.(this.remote, direction) === true) {
        this.#plan.hit(active)
        return true
      }
    }
    return false
  }

  /** The plan changed: the link may be dropped, or whole again. */
  #adapt(): void {
    if (this.#closed) return
    if (this.#open !== undefined && !this.#drops('in') && !this.#drops('out')) this.#open()
    const base = this.#base
    if (base === undefined) return
    if (this.#drops('in')) base.pause()
    else if (!this.#pausedByCaller) base.resume()
    if (!this.#drops('out')) this.#release(base)
  }

  #release(base: Socket): void {
    const held = this.#held
    this.#held = []
    const belowMark = held.length === 0 || base.write(held)
    if (this.#endHeld) base.end()
    else if (belowMark && this.#wantsDrain) this.#drained()
  }

  #drained(): void {
    this.#wantsDrain = false
    this.#handlers?.drain?.()
  }

  #wrap(handlers: SocketHandlers): SocketHandlers {
    return {
      data: chunk => handlers.data(chunk),
      ...(handlers.into === undefined ? {} : { into: handlers.into }),
      drain: () => {
        this.#wantsDrain = false
        handlers.drain?.()
      },
      closed: error => this.#close(error),
    }
  }

  #close(error: Parameters<SocketHandlers['closed']>[0]): void {
    if (this.#closed) return
    this.#closed = true
    this.#unlisten()
    this.#handlers?.closed(error)
  }
}
