/** How each kind of fault inside a node is seen to work, in one English line. */
import type { DiskOperation } from './fault.ts'
import type { NodeFaultProof } from './kind.ts'
import type { Parameters } from './parameters.ts'
import type { Call, ProofBench } from './proof-bench.ts'
import { callMsMax } from './slow-disk.ts'

const words: Partial<Record<DiskOperation, string>> = { sync: 'an fsync', syncDirectory: 'an fsync', open: 'an open' }
const wordFor = (operation: DiskOperation): string => words[operation] ?? `a ${operation}`

/** The same fault without what makes it rare, and about the probe's file. */
function plain(parameters: Parameters): Parameters {
  const { path: _path, nth: _nth, 'one-in': _oneIn, ...rest } = parameters
  return rest
}

/** Of the calls that a fault is about, the first: one stands for all. */
function firstOperation(parameters: Parameters): DiskOperation {
  const [name = 'write'] = String(parameters['on'] ?? 'write').split(',')
  return name === 'fsync' ? 'sync' : (name as DiskOperation)
}

function cannotCompare(before: Call): NodeFaultProof | undefined {
  const ending = before.error ?? before.crashed
  return ending === undefined
    ? undefined
    : { shown: undefined, text: `${wordFor(before.operation)} failed before already (${ending})` }
}

export async function proveSlow(bench: ProofBench, parameters: Parameters): Promise<NodeFaultProof> {
  const operation = firstOperation(parameters)
  const delayMs = Number(parameters['delay'])
  const rate = parameters['rate'] === undefined ? Infinity : Number(parameters['rate'])
  // As many bytes as pass in a third of a second, so that a limit can be told from a quick disk.
  const bytes = rate === Infinity ? 4096 : Math.max(512, Math.min(1 << 20, Math.round(rate / 3)))
  const moves = operation === 'read' || operation === 'write' ? bytes : 0
  const leastMs = Math.min(delayMs + (moves / rate) * 1000, callMsMax)
  const { before, now } = await bench.compare(plain(parameters), probe =>
    probe.perform(operation, Buffer.alloc(moves === 0 ? 4096 : moves)),
  )
  const size = moves === 0 ? '' : ` of ${moves} bytes`
  const text = `${wordFor(operation)}${size} took ${before.tookMs} ms before, ${now.tookMs} ms now (at least ${Math.floor(leastMs)} ms)`
  if (leastMs < 1) return { shown: undefined, text: `${text}; by chance it may be none` }
  // Clocks here count whole milliseconds.
  return cannotCompare(before) ?? { shown: now.tookMs + 1 >= leastMs, text }
}

export async function proveFull(bench: ProofBench, parameters: Parameters): Promise<NodeFaultProof> {
  let usable = 0
  const { before, now } = await bench.compare({ after: 0 }, async probe => {
    const call = await probe.perform('write')
    usable = probe.usableBytes()
    return call
  })
  const after = Number(parameters['after'])
  const when = after === 0 ? '' : `, as it will ${after} bytes from now`
  return (
    cannotCompare(before) ?? {
      shown: now.error === 'ENOSPC' && usable === 0,
      text: `a write ${now.error === undefined ? 'worked' : `failed with ${now.error}`}, the disk says ${usable} bytes are usable${when}`,
    }
  )
}

export async function proveError(bench: ProofBench, parameters: Parameters): Promise<NodeFaultProof> {
  const operation = firstOperation(parameters)
  const { before, now } = await bench.compare(plain(parameters), probe => probe.perform(operation))
  const text = `${wordFor(operation)} ${now.error === undefined ? 'worked' : `failed with ${now.error}`}`
  return cannotCompare(before) ?? { shown: now.error === parameters['code'], text }
}

export async function proveCrash(bench: ProofBench, parameters: Parameters): Promise<NodeFaultProof> {
  const operation = firstOperation(parameters)
  const bytes = 2_000
  let fill = 0
  // Other bytes each time, so that those of the call that did not return can be told.
  const { before, now, content } = await bench.compare({ ...plain(parameters), nth: 1 }, probe =>
    probe.perform(operation, Buffer.alloc(bytes, ++fill)),
  )
  const written = content.filter(byte => byte === fill).length
  const part = operation === 'write' ? `, ${written} of ${bytes} bytes written` : ''
  return (
    cannotCompare(before) ?? {
      shown: now.crashed !== undefined && (operation !== 'write' || isPart(parameters, written, bytes)),
      text:
        now.crashed === undefined
          ? `${wordFor(operation)} went on`
          : `${wordFor(operation)} ends the process (seen with a stand-in for it${part})`,
    }
  )
}

/** Whether so many bytes of a write are there when it has ended the process. */
function isPart({ when, keep }: Parameters, written: number, bytes: number): boolean {
  if (when !== undefined) return written === (when === 'after' ? bytes : 0)
  return keep === undefined ? written <= bytes : written === Math.min(Number(keep), bytes)
}

export async function proveBitFlip(bench: ProofBench, parameters: Parameters): Promise<NodeFaultProof> {
  const isRead = parameters['on'] === 'read'
  const target = Buffer.alloc(4096)
  const { before, now, content } = await bench.compare(plain(parameters), probe =>
    isRead ? probe.perform('read', target) : probe.perform('write'),
  )
  const wrong = bitsSet(isRead ? target : content)
  return (
    cannotCompare(before) ?? {
      shown: now.error === undefined && wrong === 1,
      text: `${wrong} of ${4096 * 8} bits wrong ${isRead ? 'in what was read' : 'on the disk'}`,
    }
  )
}

function bitsSet(bytes: Uint8Array): number {
  let count = 0
  for (const byte of bytes) for (let rest = byte; rest > 0; rest &= rest - 1) count++
  return count
}

/** Clocks are looked at a millisecond apart at most, but the machine may be busy between the two looks. */
const clockToleranceMs = 50
/** Below this, two looks are about as far apart as the fault puts the clock, or more. */
const tellableMs = 5
const tooLittle = 'too little to be told'

/** How near an offset a clock is seen that has it; one that is right is never so near. */
function nearMs(offset: number): number {
  return Math.min(clockToleranceMs, Math.abs(offset) / 2)
}

export function proveJump(bench: ProofBench, parameters: Parameters): Promise<NodeFaultProof> {
  const offset = Number(parameters['offset'])
  const seenMs = bench.clockOffsetMs()
  const text = `the node's clock is ${describeOffset(seenMs)}`
  if (Math.abs(offset) < tellableMs) return Promise.resolve({ shown: undefined, text: `${text}, ${tooLittle}` })
  return Promise.resolve({ shown: Math.abs(seenMs - offset) < nearMs(offset), text })
}

export async function proveDrift(bench: ProofBench, parameters: Parameters): Promise<NodeFaultProof> {
  const rate = Number(parameters['rate'])
  const beganMs = bench.nowMs()
  const first = bench.clockOffsetMs()
  await bench.wait(Math.min(2_000, Math.max(200, 20_000 / Math.abs(rate))))
  const tookMs = bench.nowMs() - beganMs
  const gained = bench.clockOffsetMs() - first
  const expected = (tookMs * rate) / 1000
  const text = `the node's clock ${gained < 0 ? 'lost' : 'gained'} ${Math.abs(gained)} ms in ${tookMs} ms`
  if (Math.abs(expected) < tellableMs) return { shown: undefined, text: `${text}, ${tooLittle} in that time` }
  return {
    shown: Math.sign(gained) === Math.sign(rate) && Math.abs(gained - expected) <= Math.abs(expected) / 2 + 2,
    text,
  }
}

const strobePatienceMs = 5_000

export async function proveStrobe(bench: ProofBench, parameters: Parameters): Promise<NodeFaultProof> {
  const offset = Number(parameters['offset'])
  const period = Number(parameters['period'])
  if (Math.abs(offset) < tellableMs)
    return { shown: undefined, text: `whether the node's clock is at times ${describeOffset(offset)} is ${tooLittle}` }
  const beganMs = bench.nowMs()
  // Twice there and back is enough; a machine that is busy looks seldom.
  const mostMs = 4 * period + strobePatienceMs
  let off = false
  let right = false
  while (!(off && right) && bench.nowMs() - beganMs < mostMs) {
    const seen = bench.clockOffsetMs()
    if (Math.abs(seen - offset) < nearMs(offset)) off = true
    else if (Math.abs(seen) < nearMs(offset)) right = true
    await bench.wait(Math.max(1, Math.floor(period / 5)))
  }
  return {
    shown: off && right,
    text: `the node's clock was ${[...(right ? ['right'] : []), ...(off ? [describeOffset(offset)] : [])].join(' and ') || 'neither right nor off'} within ${bench.nowMs() - beganMs} ms`,
  }
}

function describeOffset(offsetMs: number): string {
  if (offsetMs === 0) return 'right'
  return `${Math.abs(offsetMs)} ms ${offsetMs < 0 ? 'behind' : 'ahead'}`
}

/** Below this, what the garbage collector does meanwhile is as much as the fault itself, bytes. */
const tellableBytes = 1 << 25

export function proveMemory(bench: ProofBench, { size }: Parameters): Promise<NodeFaultProof> {
  const wantedBytes = Number(size) * MiB
  const beforeBytes = bench.residentBytesBefore ?? 0
  const nowBytes = bench.runtime.memory?.().residentBytes ?? 0
  const text = `the process had ${Math.round(beforeBytes / MiB)} MiB in memory before, ${Math.round(nowBytes / MiB)} MiB now`
  // Half of it: what the collector takes away at the same time is not known.
  const isThere = nowBytes - beforeBytes >= wantedBytes / 2
  if (!isThere && wantedBytes < tellableBytes)
    return Promise.resolve({ shown: undefined, text: `${text}; so little cannot be told from what else changes` })
  return Promise.resolve({ shown: isThere, text })
}

const MiB = 1 << 20

/** The fault itself: it is over when it has been proved. */
export async function proveStall(bench: ProofBench, parameters: Parameters): Promise<NodeFaultProof> {
  const wantedMs = Number(parameters['for'])
  const beganMs = bench.nowMs()
  bench.runtime.stall(wantedMs)
  await bench.turn()
  const tookMs = bench.nowMs() - beganMs
  return { shown: tookMs + 1 >= wantedMs, text: `the node did nothing for ${tookMs} ms (at least ${wantedMs} ms)` }
}

const busyMs = 1_000
/** What one look and one piece of work may be more than the budget. */
const overdrawnMs = 30

/** Works for a second as hard as it may, in small pieces, so that the node goes on meanwhile. */
export async function proveCpuLimit(bench: ProofBench, { cores }: Parameters): Promise<NodeFaultProof> {
  const { cpu } = bench.runtime
  if (cpu === undefined) return { shown: undefined, text: 'nobody counts the processor time of this node' }
  const began = { atMs: cpu.nowMs(), usedMs: cpu.usedMs(), stoodStillMs: cpu.stoodStillMs() }
  while (cpu.nowMs() - began.atMs < busyMs) {
    for (const pieceMs = cpu.nowMs(); cpu.nowMs() - pieceMs < 3;);
    await bench.turn()
  }
  const tookMs = cpu.nowMs() - began.atMs
  const usedMs = cpu.usedMs() - began.usedMs
  const stoodStillMs = cpu.stoodStillMs() - began.stoodStillMs
  const text = `the process worked as hard as it may for ${Math.round(tookMs)} ms and got ${(usedMs / tookMs).toFixed(2)} of a core (at most ${String(cores)}); it stood still for ${Math.round(stoodStillMs)} ms of them`
  if (Number(cores) >= 1) return { shown: undefined, text: `${text}, since one thread gets no more than a core anyway` }
  if (usedMs > Number(cores) * tookMs + overdrawnMs) return { shown: false, text }
  if (stoodStillMs === 0) return { shown: undefined, text: `${text}, since the machine had no more for it anyway` }
  return { shown: true, text }
}
