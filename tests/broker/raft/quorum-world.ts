/**
 * A quorum of machines on a virtual network and virtual disks, for tests: deterministic from a seed. Messages are delayed, reordered, lost and
 * duplicated, links are cut, nodes crash and lose what was not fsynced. After every event the invariants of quorum-invariants.ts are checked.
 * It carries out Readys in the order that ready.ts demands, as raft-driver.ts does with real files.
 */
import { QuorumMachine, isAheadOfLog } from '#broker/raft/quorum-machine.ts'
import type { MachineOptions } from '#broker/raft/quorum-core.ts'
import type {
  EpochStart,
  FetchedRecords,
  QuorumRequest,
  QuorumResponse,
  SnapshotId,
  StoredSnapshot,
} from '#broker/raft/quorum-messages.ts'
import type { HardState, QuorumEvent, Ready } from '#broker/raft/ready.ts'
import { Invariants } from './quorum-invariants.ts'

export interface Entry {
  readonly epoch: number
  /** Empty for a LeaderChange record. */
  readonly value: string
}

/** What a disk holds: entries from `startOffset`, finished snapshots with their content, quorum-state. */
export interface Disk {
  startOffset: number
  entries: Entry[]
  snapshots: Map<string, { stored: StoredSnapshot; content: Buffer }>
  hardState: HardState | undefined
}

export class SeededRandom {
  private state: number

  constructor(seed: number) {
    this.state = (seed * 2654435761 + 88172645) >>> 0
  }

  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = this.state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)))
  }
}

interface Scheduled {
  readonly atMs: number
  readonly sequence: number
  readonly run: () => void
}

export interface WorldOptions {
  readonly seed: number
  readonly voters: number
  readonly observers: number
  readonly lossPercent?: number
  readonly duplicatePercent?: number
  readonly maxDelayMs?: number
  readonly flushMaxMs?: number
}

const timeouts = { electionTimeoutMs: 1000, electionBackoffMaxMs: 1000, fetchTimeoutMs: 2000, requestTimeoutMs: 2000 }

export class Node {
  readonly id: number
  private readonly world: World
  disk: Disk = { startOffset: 0, entries: [], snapshots: new Map(), hardState: undefined }
  /** What is written but may not be durable yet. */
  startOffset = 0
  entries: Entry[] = []
  machine: QuorumMachine
  isUp = true
  incarnation = 0
  /** Applied state: the values below `applied`, in order. */
  state: Entry[] = []
  private flushing = false
  private nextFlush: number | undefined
  private download: { id: SnapshotId; bytes: Buffer; serial: number } | undefined
  private downloads = 0
  private installs = 0
  private readonly tokens = new Map<number, (response: QuorumResponse) => void>()
  private lastToken = 0

  constructor(world: World, id: number) {
    this.world = world
    this.id = id
    this.machine = this.recover()
  }

  get endOffset(): number {
    return this.startOffset + this.entries.length
  }

  get durableEnd(): number {
    return this.disk.startOffset + this.disk.entries.length
  }

  /** The entry at `offset` that would survive a crash now; also what a snapshot holds. */
  durableEntry(offset: number): Entry | undefined {
    const inLog = offset >= this.disk.startOffset ? this.disk.entries[offset - this.disk.startOffset] : undefined
    if (inLog !== undefined) return inLog
    for (const { stored, content } of this.disk.snapshots.values()) {
      if (offset < stored.endOffset) return (JSON.parse(content.toString()) as Entry[])[offset]
    }
    return undefined
  }

  entryAt(offset: number): Entry | undefined {
    return offset >= this.startOffset ? this.entries[offset - this.startOffset] : this.durableEntry(offset)
  }

  start(): void {
    this.carryOut(this.machine.start(this.world.nowMs))
  }

  crash(): void {
    this.isUp = false
    this.incarnation += 1
    const { random } = this.world
    // Any prefix of what was not fsynced may have reached the disk, or none.
    if (this.startOffset === this.disk.startOffset && this.isExtensionOfDisk() && random.chance(50)) {
      const durable = this.disk.entries.length
      this.disk.entries = this.entries.slice(0, durable + random.below(this.entries.length - durable + 1))
    }
  }

  restart(): void {
    this.isUp = true
    this.machine = this.recover()
    this.start()
  }

  step(event: QuorumEvent): Ready | undefined {
    if (!this.isUp) return undefined
    const ready = this.machine.step(event, this.world.nowMs)
    this.carryOut(ready)
    return ready
  }

  /** A request from the network; `reply` may be called much later, or never. */
  receive(request: QuorumRequest, reply: (response: QuorumResponse) => void): void {
    this.lastToken += 1
    this.tokens.set(this.lastToken, reply)
    this.step({ kind: 'request', token: this.lastToken, request })
  }

  createSnapshot(): void {
    if (this.state.length === 0) return
    const endOffset = this.state.length
    const content = Buffer.from(JSON.stringify(this.state))
    const stored = { endOffset, epoch: this.state[endOffset - 1]?.epoch ?? 0, bytes: content.length }
    if (this.disk.snapshots.has(nameOf(stored)) || endOffset <= (this.machine.snapshots.at(-1)?.endOffset ?? 0)) return
    this.disk.snapshots.set(nameOf(stored), { stored, content })
    this.step({ kind: 'snapshotCreated', snapshot: stored })
  }

  private isExtensionOfDisk(): boolean {
    const last = this.disk.entries.length - 1
    if (this.entries.length < this.disk.entries.length) return false
    return last < 0 || this.entries[last]?.epoch === this.disk.entries[last]?.epoch
  }

  private recover(): QuorumMachine {
    const { disk } = this
    const snapshots = [...disk.snapshots.values()].map(each => each.stored).sort((a, b) => a.endOffset - b.endOffset)
    const latest = snapshots.at(-1)
    const lastEpoch = disk.entries.at(-1)?.epoch ?? 0
    if (
      latest !== undefined &&
      isAheadOfLog(latest, { lastEpoch, endOffset: disk.startOffset + disk.entries.length })
    ) {
      disk.startOffset = latest.endOffset
      disk.entries = []
    }
    this.startOffset = disk.startOffset
    this.entries = [...disk.entries]
    this.state = []
    this.flushing = false
    this.nextFlush = undefined
    this.download = undefined
    this.tokens.clear()
    const kept = snapshots.filter(snapshot => snapshot.endOffset >= disk.startOffset)
    if (latest !== undefined) this.loadSnapshot(latest)
    const log = {
      startOffset: this.startOffset,
      endOffset: this.endOffset,
      durableOffset: this.endOffset,
      baseEpoch: kept.find(snapshot => snapshot.endOffset === this.startOffset)?.epoch ?? 0,
      epochs: epochsOf(this.startOffset, this.entries),
    }
    const recovered = { hardState: disk.hardState, log, snapshots: kept }
    return new QuorumMachine(this.world.machineOptions(this.id), recovered, this.world.nowMs)
  }

  private carryOut(ready: Ready): void {
    if (ready.hardState !== undefined) this.disk.hardState = ready.hardState
    if (ready.truncateTo !== undefined) this.entries = this.entries.slice(0, ready.truncateTo - this.startOffset)
    for (const work of ready.snapshotWork) this.doSnapshotWork(work)
    for (const append of ready.appends) this.append(append)
    for (const { token, response } of ready.replies) {
      const reply = this.tokens.get(token)
      this.tokens.delete(token)
      reply?.(this.fill(response))
    }
    for (const send of ready.sends) this.world.transmit(this, send.to, send.requestId, send.request)
    if (ready.flush !== undefined) this.flush(ready.flush)
    if (ready.retention !== undefined) this.retain(ready.retention)
    this.deliver(ready.highWatermark)
    this.world.invariants.afterStep(this)
    this.world.arm(this, ready.deadlineMs)
  }

  private append(append: Ready['appends'][number]): void {
    const baseOffset = append.kind === 'batches' ? append.fetched.baseOffset : append.baseOffset
    if (baseOffset !== this.endOffset) throw new Error(`append at ${baseOffset}, log ends at ${this.endOffset}`)
    const added: Entry[] =
      append.kind === 'batches'
        ? (JSON.parse(append.fetched.bytes.toString()) as Entry[])
        : append.kind === 'leaderChange'
          ? [{ epoch: append.epoch, value: '' }]
          : append.values.map(value => ({ epoch: append.epoch, value: value.toString() }))
    for (const entry of added)
      this.world.invariants.appended(this, this.entries.push(entry) - 1 + this.startOffset, entry)
  }

  private fill(response: QuorumResponse): QuorumResponse {
    if (response.kind === 'fetch' && response.read !== undefined) {
      const from = response.read.offset - this.startOffset
      return {
        ...response,
        records: fetched(response.read.offset, this.entries.slice(from, from + 1 + this.world.random.below(8))),
      }
    }
    if (response.kind === 'fetchSnapshot' && response.snapshotId !== undefined) {
      const found = this.disk.snapshots.get(nameOf(response.snapshotId))
      if (found === undefined) throw new Error(`snapshot ${nameOf(response.snapshotId)} is offered and not there`)
      return { ...response, bytes: found.content.subarray(response.position, response.position + response.readBytes) }
    }
    return response
  }

  private flush(generation: number): void {
    if (this.flushing) {
      this.nextFlush = generation
      return
    }
    this.flushing = true
    const { startOffset, incarnation, installs } = this
    const entries = [...this.entries]
    this.world.after(this.world.random.below(this.world.flushMaxMs), () => {
      if (this.incarnation !== incarnation || !this.isUp) return
      this.flushing = false
      // A snapshot may have replaced the log meanwhile; its installation is durable by itself.
      if (this.installs === installs) this.disk.entries = entries.slice(this.disk.startOffset - startOffset)
      const next = this.nextFlush
      this.nextFlush = undefined
      if (next !== undefined) this.flush(next)
      this.step({ kind: 'persisted', durableOffset: startOffset + entries.length, generation })
    })
  }

  private doSnapshotWork(work: Ready['snapshotWork'][number]): void {
    switch (work.kind) {
      case 'begin':
        this.downloads += 1
        this.download = { id: work.id, bytes: Buffer.alloc(0), serial: this.downloads }
        return
      case 'write':
        if (this.download === undefined || this.download.bytes.length !== work.position)
          throw new Error('write into no snapshot')
        this.download.bytes = Buffer.concat([this.download.bytes, work.bytes])
        return
      case 'finish': {
        const { download, incarnation } = this
        this.world.after(this.world.random.below(this.world.flushMaxMs), () => {
          if (download === undefined || this.download !== download || this.incarnation !== incarnation) return
          this.step({ kind: 'snapshotReceived', snapshot: { ...download.id, bytes: download.bytes.length } })
        })
        return
      }
      case 'install':
        return this.install(work.id)
      case 'discard':
        this.download = undefined
        return
    }
  }

  private install(id: SnapshotId): void {
    const content = this.download?.bytes ?? Buffer.alloc(0)
    this.download = undefined
    const stored = { endOffset: id.endOffset, epoch: id.epoch, bytes: content.length }
    this.installs += 1
    this.disk.snapshots.set(nameOf(id), { stored, content })
    this.disk.startOffset = id.endOffset
    this.disk.entries = []
    this.startOffset = id.endOffset
    this.entries = []
  }

  private retain(retention: NonNullable<Ready['retention']>): void {
    for (const id of retention.remove) this.disk.snapshots.delete(nameOf(id))
    const drop = retention.logStartOffset - this.startOffset
    if (drop <= 0) return
    this.entries = this.entries.slice(drop)
    this.startOffset = retention.logStartOffset
    const durableDrop = retention.logStartOffset - this.disk.startOffset
    this.disk.entries = this.disk.entries.slice(durableDrop)
    this.disk.startOffset = retention.logStartOffset
  }

  private loadSnapshot(id: SnapshotId): void {
    const found = this.disk.snapshots.get(nameOf(id))
    this.state = JSON.parse(found?.content.toString() ?? '[]') as Entry[]
    this.world.invariants.applied(this, this.state, 0)
  }

  private deliver(highWatermark: number): void {
    const latest = this.machine.snapshots.at(-1)
    if (latest !== undefined && this.state.length < this.startOffset) this.loadSnapshot(latest)
    const from = this.state.length
    const until = Math.min(highWatermark, this.endOffset)
    for (let offset = from; offset < until; offset += 1) {
      const entry = this.entryAt(offset)
      if (entry === undefined) throw new Error(`node ${this.id} cannot read ${offset}`)
      this.state.push(entry)
    }
    if (until > from) this.world.invariants.applied(this, this.state, from)
  }
}

export class World {
  readonly random: SeededRandom
  readonly invariants: Invariants
  readonly nodes = new Map<number, Node>()
  readonly voters: readonly number[]
  readonly flushMaxMs: number
  nowMs = 0
  lossPercent: number
  duplicatePercent: number
  maxDelayMs: number
  /** A rolling hash of everything that happened: equal traces, equal hashes. */
  trace = 0
  eventsCount = 0
  private readonly queue: Scheduled[] = []
  private sequence = 0
  private readonly cutLinks = new Set<string>()
  private readonly alarms = new Map<number, number>()
  private proposals = 0

  constructor(options: WorldOptions) {
    this.random = new SeededRandom(options.seed)
    this.lossPercent = options.lossPercent ?? 0
    this.duplicatePercent = options.duplicatePercent ?? 0
    this.maxDelayMs = options.maxDelayMs ?? 10
    this.flushMaxMs = options.flushMaxMs ?? 10
    this.voters = Array.from({ length: options.voters }, (_, index) => index + 1)
    this.invariants = new Invariants(this)
    for (let id = 1; id <= options.voters + options.observers; id += 1) this.nodes.set(id, new Node(this, id))
    for (const node of this.nodes.values()) node.start()
  }

  machineOptions(nodeId: number): MachineOptions {
    const limits = { ...timeouts, retryBackoffMs: 20, fetchMaxWaitMs: 500, fetchMaxBytes: 300 }
    return {
      nodeId,
      directoryId: `directory-${nodeId}`,
      clusterId: 'cluster',
      voters: this.voters,
      ...limits,
      random: this.random,
    }
  }

  node(id: number): Node {
    const node = this.nodes.get(id)
    if (node === undefined) throw new Error(`no node ${id}`)
    return node
  }

  get leaders(): readonly Node[] {
    return [...this.nodes.values()].filter(node => node.isUp && node.machine.role === 'leader')
  }

  after(delayMs: number, run: () => void): void {
    this.sequence += 1
    const item = { atMs: this.nowMs + delayMs, sequence: this.sequence, run }
    let at = this.queue.length
    while (at > 0 && isLater(this.queue[at - 1], item)) at -= 1
    this.queue.splice(at, 0, item)
  }

  arm(node: Node, deadlineMs: number): void {
    if (deadlineMs === Infinity || this.alarms.get(node.id) === deadlineMs) return
    this.alarms.set(node.id, deadlineMs)
    const { incarnation } = node
    this.after(deadlineMs - this.nowMs, () => {
      if (this.alarms.get(node.id) === deadlineMs) this.alarms.delete(node.id)
      if (node.incarnation === incarnation) node.step({ kind: 'tick' })
    })
  }

  transmit(from: Node, to: number, requestId: number, request: QuorumRequest): void {
    const { incarnation } = from
    const answered = (response: QuorumResponse): void => {
      this.carry(to, from.id, `${response.kind} response`, () => {
        if (from.incarnation === incarnation) from.step({ kind: 'response', from: to, requestId, response })
      })
    }
    this.carry(from.id, to, request.kind, () => {
      const target = this.node(to)
      if (target.isUp) target.receive(request, answered)
      else if (from.incarnation === incarnation) from.step({ kind: 'failed', from: to, requestId, refused: true })
    })
  }

  cut(from: number, to: number): void {
    this.cutLinks.add(`${from}>${to}`)
  }

  healLinks(): void {
    this.cutLinks.clear()
  }

  propose(node: Node, count = 1): readonly string[] | undefined {
    const values = Array.from({ length: count }, () => `r${(this.proposals += 1)}`)
    const { epoch } = node.machine
    const proposed = node.step({ kind: 'propose', epoch, records: values.map(value => Buffer.from(value)) })?.proposed
    return proposed === undefined ? undefined : values
  }

  /** Runs events until the virtual time is reached. */
  runUntil(untilMs: number): void {
    for (let next = this.queue[0]; next !== undefined && next.atMs <= untilMs; next = this.queue[0]) {
      this.queue.shift()
      this.nowMs = next.atMs
      this.eventsCount += 1
      next.run()
    }
    this.nowMs = untilMs
  }

  runFor(durationMs: number): void {
    this.runUntil(this.nowMs + durationMs)
  }

  /** Runs until `condition` holds; false when it does not within `limitMs`. */
  runWhileNot(condition: () => boolean, limitMs: number): boolean {
    const untilMs = this.nowMs + limitMs
    while (!condition() && this.nowMs < untilMs) this.runFor(10)
    return condition()
  }

  note(what: string): void {
    let hash = this.trace
    for (let index = 0; index < what.length; index += 1) hash = (Math.imul(hash, 31) + what.charCodeAt(index)) | 0
    this.trace = hash
  }

  private carry(from: number, to: number, what: string, arrive: () => void): void {
    const copies = this.random.chance(this.duplicatePercent) ? 2 : 1
    for (let copy = 0; copy < copies; copy += 1) {
      if (this.cutLinks.has(`${from}>${to}`) || this.random.chance(this.lossPercent)) continue
      this.after(1 + this.random.below(this.maxDelayMs), () => {
        if (this.cutLinks.has(`${from}>${to}`)) return
        this.note(`${this.nowMs} ${from}>${to} ${what}`)
        arrive()
      })
    }
  }
}

function isLater(left: Scheduled | undefined, right: Scheduled): boolean {
  return left !== undefined && (left.atMs > right.atMs || (left.atMs === right.atMs && left.sequence > right.sequence))
}

function nameOf(id: SnapshotId): string {
  return `${id.endOffset}-${id.epoch}`
}

function epochsOf(startOffset: number, entries: readonly Entry[]): EpochStart[] {
  const epochs: EpochStart[] = []
  for (const [index, entry] of entries.entries()) {
    if (epochs.at(-1)?.epoch !== entry.epoch) epochs.push({ epoch: entry.epoch, startOffset: startOffset + index })
  }
  return epochs
}

function fetched(baseOffset: number, entries: readonly Entry[]): FetchedRecords {
  return {
    bytes: Buffer.from(JSON.stringify(entries)),
    baseOffset,
    endOffset: baseOffset + entries.length,
    epochs: epochsOf(baseOffset, entries),
  }
}
