/**
 * Every effect the broker may have. `environment/node` is the real machine, `simulator/` its seeded, virtual twin, `environment/faulty`
 * decorates either. Nothing else in `broker/` may touch a clock, a timer, a file or a socket (lint-enforced).
 *
 * File calls are synchronous on purpose: an append is then one indivisible step of the event loop, and a small `pwrite` into the page
 * cache is an order of magnitude cheaper than a hop through the thread pool. What may take long (fsync) has an asynchronous form too.
 */
export interface Environment {
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly disk: Disk
  readonly network: Network
  readonly log: Logger
  /** Ends the process (or, in the simulator, crashes the node) because it can no longer keep its promises. Never returns. */
  halt(reason: string): never
}

export interface Clock {
  /** Integer milliseconds, never goes back, no relation to the calendar. Every timeout is measured with it. */
  monotonicMs(): number
  /** Milliseconds since 1970-01-01 UTC; may jump. Only for timestamps that leave the node (records, offset expiry, retention). */
  wallMs(): number
}

export interface Timers {
  /** Runs `run` once, `delayMs` (>= 0) from now. */
  after(delayMs: number, run: () => void): Timer
  /** Runs `run` in a later turn of the event loop, after the work that is already queued: for batching within a turn. */
  soon(run: () => void): void
}

export interface Timer {
  cancel(): void
}

export interface Random {
  /** Uniform integer in [0, limit); 1 <= limit <= 2^48. */
  below(limit: number): number
  bytes(count: number): Buffer
}

// ---------------------------------------------------------------------------------------------------------------- disk

export type DiskErrorCode =
  'ENOSPC' | 'EIO' | 'EROFS' | 'EACCES' | 'EMFILE' | 'ENOENT' | 'EEXIST' | 'ENOTDIR' | 'ENOTEMPTY' | 'EDQUOT' | 'OTHER'

/** A file call that the machine refused. Drivers turn it into KAFKA_STORAGE_ERROR and an offline log directory. */
export class DiskError extends Error {
  readonly code: DiskErrorCode
  readonly operation: string
  readonly path: string
  constructor(code: DiskErrorCode, operation: string, path: string, cause?: unknown) {
    super(`${operation} ${path}: ${code}`, { cause })
    this.name = 'DiskError'
    this.code = code
    this.operation = operation
    this.path = path
  }
}

export interface DirectoryEntry {
  readonly name: string
  readonly kind: 'file' | 'directory'
}

/** Every call throws DiskError on failure. Paths are absolute; in the simulator each node has a disk of its own. */
export interface Disk {
  /**
   * Opens a file. 'read' fails with ENOENT when it is missing; 'write' creates it when missing, keeps its content and allows reading too.
   */
  open(path: string, mode: 'read' | 'write'): DiskFile
  /** Entries in no particular order on a real machine; callers sort. ENOENT when the directory is missing. */
  list(path: string): DirectoryEntry[]
  /** Undefined when nothing is there. `modifiedMs` is wall time. */
  stat(
    path: string,
  ): { readonly kind: 'file' | 'directory'; readonly bytes: number; readonly modifiedMs: number } | undefined
  /** Creates the directory and its parents; no error when it exists. */
  makeDirectory(path: string): void
  /** Atomic within a directory tree; replaces an existing file. Durable only after `syncDirectory` of the parent. */
  rename(from: string, to: string): void
  /** Removes a file or a whole directory tree; no error when it is missing. */
  remove(path: string): void
  /** Makes creations, renames and removals in this directory durable. */
  syncDirectory(path: string): void
  /** `syncDirectory` of what was done so far, off the event loop; `done` runs in a later turn, with the error if it failed. */
  syncDirectoryLater(path: string, done: (error: DiskError | undefined) => void): void
  /**
   * Takes the lock file `path` for this process, creating it when missing. A lock whose holder is dead counts as free, however it died.
   * Throws DiskError EEXIST, whose message names the holder, while another living process has it.
   */
  lock(path: string): DiskLock
  /** Files that this process may have open at once, connections included. Missing where nobody tells. */
  openFileLimit?(): number | undefined
  /** Bytes on the volume of `path`. */
  space(path: string): { readonly totalBytes: number; readonly usableBytes: number }
}

export interface DiskLock {
  release(): void
}

export interface DiskFile {
  readonly path: string
  /** Size at the last call on this handle, bytes. */
  size(): number
  /** Reads up to `target.length` bytes at `position`; returns how many (fewer only at the end of the file). */
  read(target: Uint8Array, position: number): number
  /** Writes all chunks one after the other at `position` (one `pwritev`). All or, with a DiskError, an unknown part of it. */
  write(chunks: readonly Uint8Array[], position: number): void
  truncate(bytes: number): void
  /** fdatasync, blocking. Only for small files and shutdown. */
  sync(): void
  /** fdatasync off the event loop; `done` runs in a later turn, with the error if it failed. */
  syncLater(done: (error: DiskError | undefined) => void): void
  close(): void
}

// ------------------------------------------------------------------------------------------------------------- network

export interface Address {
  readonly host: string
  readonly port: number
}

/** Keys and certificates as PEM text. */
export interface TlsMaterial {
  readonly privateKey?: string
  /** Own certificate first, then what leads to the root. */
  readonly certificateChain?: string
  /** Authorities that are trusted; undefined for those that the machine trusts. */
  readonly trusted?: readonly string[]
  /** OpenSSL’s names; undefined for the default. */
  readonly cipherSuites?: readonly string[]
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
}

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'

export interface TlsServer extends TlsMaterial {
  /** `requested`: a client may come without a certificate, but not with one that is not trusted. */
  readonly clientAuth: 'none' | 'requested' | 'required'
  /** A client that has not finished its handshake by then is turned away. */
  readonly handshakeTimeoutMs: number
}

export interface TlsClient extends TlsMaterial {
  /** Whether the name in the server's certificate must be the host that was connected to. */
  readonly verifyHost: boolean
}

export interface Network {
  /**
   * Port 0 picks a free one. With `tls` a socket is accepted when its handshake is over. Rejects with NetworkError when the address cannot
   * be bound, or with code TLS when the keys and certificates cannot be used.
   */
  listen(address: Address, accept: (socket: Socket) => void, tls?: TlsServer): Promise<Listener>
  /**
   * Starts connecting; `opened` or `closed(error)` of the handlers tells how it went. Writes before `opened` are queued. With `tls` it is
   * `opened` when the handshake is over.
   */
  connect(address: Address, handlers: SocketHandlers & { opened(): void }, tls?: TlsClient): Socket
  /** Throws NetworkError TLS when nobody could use these keys and certificates. Not on every Environment. */
  checkTls?(tls: TlsServer): void
  /** The body that an http(s) URL answers with status 200. Rejects with NetworkError. Not on every Environment. */
  download?(url: string, options: { readonly timeoutMs: number; readonly maxBytes: number }): Promise<Buffer>
}

export interface Listener {
  readonly address: Address
  /** Handshakes that begin from now on use these keys. Throws NetworkError TLS when they cannot be used; then nothing changes. */
  renewTls?(tls: TlsServer): void
  /** Stops accepting; existing sockets live on. Resolves when the port is free. */
  close(): Promise<void>
}

export interface SocketHandlers {
  /** Bytes in order. The chunk belongs to the callee, who may keep views of it. */
  data(chunk: Buffer): void
  /**
   * Memory of the callee to receive into, instead of a new chunk per read. An environment that can do so uses it for accepted sockets and
   * then never calls `data`; the others ignore it.
   */
  readonly into?: ReceiveMemory
  /** The write queue, which had been full, is empty again. */
  drain?(): void
  /** Called once; no data follows. `error` is undefined for an orderly end of stream. */
  closed(error: NetworkError | undefined): void
}

export interface ReceiveMemory {
  /** Where the next bytes go; not empty. Called again after each `filled`, in the same turn. */
  space(): Buffer
  /** So many bytes of the space last given out are there now. */
  filled(count: number): void
}

export interface Socket {
  readonly remote: Address
  readonly local: Address
  /** DER of the certificate that the peer proved to own and that is trusted; undefined when it has shown none. */
  readonly peerCertificate?: Buffer | undefined
  /** For accepted sockets: must be called in the same turn as `accept`. */
  handle(handlers: SocketHandlers): void
  /**
   * Queues the chunks in order, by reference; returns false when the caller should wait for `drain`. No-op once closed. `written` runs
   * once, now or later: the memory of the chunks may be used again, because the machine has taken them or the connection is gone.
   */
  write(chunks: readonly Uint8Array[], written?: () => void): boolean
  /**
   * Bytes that the machine has taken of all that was written, within a write too: only ever grows, unless the connection is gone. With TLS they
   * are counted as they are on the wire, with the handshake. Undefined where nobody tells.
   */
  readonly takenBytes?: number | undefined
  /** Stops and resumes `data`, for back-pressure. */
  pause(): void
  resume(): void
  /** Flushes what was written, then closes. */
  end(): void
  /** Closes at once; queued writes are lost; `closed` is still called. */
  destroy(): void
}

export class NetworkError extends Error {
  readonly code: string
  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'NetworkError'
    this.code = code
  }
}

// ------------------------------------------------------------------------------------------------------------- logging

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFields = Readonly<Record<string, unknown>>

/** Structured log lines: a constant English sentence plus fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger whose lines carry these fields too, e.g. `child({ component: 'raft' })`. */
  child(fields: LogFields): Logger
  /** Missing where the lines are not filtered. */
  readonly levels?: LogLevels
}

/** Log levels that can be changed while the node runs, in Kafka's words (TRACE to FATAL), by name of the logger; `root` is all of them. */
export interface LogLevels {
  all(): ReadonlyMap<string, string>
  set(logger: string, level: string): void
}
