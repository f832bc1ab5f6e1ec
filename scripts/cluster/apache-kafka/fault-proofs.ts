/**
 * How a fault inside Apache Kafka is seen to work: of the disk, with a twin of it in a small process beside the JVM, with the same library and a file of
 * its own (images/apache-kafka/probe.c); of the clock, on the times that the JVM itself was told.
 */
import type { NodeFaultProof } from '#broker/environment/faulty/kind.ts'
import type { Parameters } from '#broker/environment/faulty/parameters.ts'
import { callMsMax } from '#broker/environment/faulty/slow-disk.ts'
import { failure } from '../../errors.ts'
import { poll, realClock } from '../clock.ts'
import type { LabClock } from '../cluster.ts'
import { errorNumber, formatRules, type ClockOffset } from './fault-rules.ts'

/** Runs the probe beside the node: in a folder of that name in the folder of its orders, with these words after it. */
export type Probe = (folder: string, words: readonly string[]) => Promise<ProbeRan>

export interface ProbeRan {
  /** Undefined: it was ended, alone or with the container that it ran in. */
  readonly exitCode: number | undefined
  readonly stdout: string
  readonly stderr: string
}

interface Call {
  readonly tookMs: number
  /** 0: none. */
  readonly errno: number
  readonly wrongBits: number
}

interface Probed {
  readonly before: Call
  readonly now: Call | { readonly signal: number } | null
  /** Bytes that are not zero in the file afterwards, and bits that are set. */
  readonly written: number
  readonly bits: number
}

const noSpace = 28
const killed = 9

/** Undefined for a kind that is not one of the disk. */
export async function proveOnDisk(
  run: Probe,
  kind: string,
  parameters: Parameters,
): Promise<NodeFaultProof | undefined> {
  const { path: _path, nth: _nth, 'one-in': _oneIn, ...plain } = parameters
  const [operation = 'write'] = String(plain['on'] ?? 'write').split(',')
  const bytes = kind === 'slow-disk' ? slowBytes(plain, operation) : 2_000
  const probe = (more: Parameters, fill = 85) =>
    runProbe(run, { operation, bytes, kind, fill, parameters: { ...plain, ...more } })
  switch (kind) {
    case 'slow-disk':
      return slow(await probe({}), plain, { operation, bytes })
    case 'full-disk': {
      const { now } = await probe({ after: 0 })
      const when = plain['after'] === 0 ? '' : `, as it will ${String(plain['after'])} bytes from now`
      return failed(now, 'a write', { errno: noSpace, name: 'ENOSPC' }, when)
    }
    case 'disk-error':
      return failed((await probe({})).now, wordFor(operation), {
        errno: errorNumber(plain['code']),
        name: String(plain['code']),
      })
    case 'crash-at':
    case 'torn-write':
      return ended(await probe({ nth: 1 }), plain, { operation, bytes })
    case 'bit-flip': {
      const { now, bits } = await probe({}, 0)
      const isRead = plain['on'] === 'read'
      const wrong = isRead && now !== null && 'wrongBits' in now ? now.wrongBits : bits
      return {
        shown: wrong === 1,
        text: `${wrong} of ${bytes * 8} bits wrong ${isRead ? 'in what was read' : 'on the disk'}`,
      }
    }
    default:
      return undefined
  }
}

/** As many bytes as pass in a third of a second, so that a limit can be told from a quick disk. */
function slowBytes({ rate }: Parameters, operation: string): number {
  if (rate === undefined || (operation !== 'read' && operation !== 'write')) return 4_096
  return Math.max(512, Math.min(1 << 20, Math.round(Number(rate) / 3)))
}

interface Asked {
  readonly operation: string
  readonly bytes: number
}

function slow({ before, now }: Probed, { delay, rate }: Parameters, { operation, bytes }: Asked): NodeFaultProof {
  const moves = operation === 'read' || operation === 'write' ? bytes : 0
  // However many bytes it has, the library lets no call wait for longer.
  const leastMs = Math.min(callMsMax, Number(delay) + (rate === undefined ? 0 : (moves / Number(rate)) * 1_000))
  if (now === null || !('tookMs' in now)) return { shown: false, text: `${wordFor(operation)} did not return` }
  const text = `${wordFor(operation)} took ${before.tookMs} ms before, ${now.tookMs} ms now (at least ${Math.floor(leastMs)} ms)`
  return leastMs < 1
    ? { shown: undefined, text: `${text}; by chance it may be none` }
    : { shown: now.tookMs >= leastMs - 1, text }
}

function failed(
  now: Probed['now'],
  what: string,
  wanted: { readonly errno: number; readonly name: string },
  more = '',
): NodeFaultProof {
  const errno = now !== null && 'errno' in now ? now.errno : undefined
  const said = errno === wanted.errno ? `failed with ${wanted.name}` : `ended with ${errno ?? 'the process'}`
  return { shown: errno === wanted.errno, text: `${what} ${errno === 0 ? 'worked' : said}${more}` }
}

function ended({ now, written }: Probed, { when, keep }: Parameters, { operation, bytes }: Asked): NodeFaultProof {
  const isEnded = now !== null && 'signal' in now && now.signal === killed
  const wanted = when === undefined ? keep : when === 'after' ? bytes : 0
  const isPart =
    operation !== 'write' || (wanted === undefined ? written <= bytes : written === Math.min(Number(wanted), bytes))
  const part = operation === 'write' ? `, ${written} of ${bytes} bytes written` : ''
  const text = isEnded ? `ends the process (seen with a stand-in for it${part})` : `went on${part}`
  return { shown: isEnded && isPart, text: `${wordFor(operation)} ${text}` }
}

function wordFor(operation: string): string {
  return operation === 'fsync' ? 'an fsync' : operation === 'open' ? 'an open' : `a ${operation}`
}

async function runProbe(
  run: Probe,
  order: Asked & { readonly kind: string; readonly fill: number; readonly parameters: Parameters },
): Promise<Probed> {
  const { operation, bytes, kind, fill, parameters } = order
  const rules = formatRules({ generation: 1, added: 1, entries: [{ id: 'probe', kind, parameters, slot: 0, born: 1 }] })
  const folder = `probe-${process.pid}-${Math.round(performance.now() * 1_000)}`
  const { exitCode, stdout, stderr } = await run(folder, [operation, String(bytes), rules, String(fill)])
  if (exitCode === 0) return JSON.parse(stdout) as Probed
  const how = exitCode === undefined ? 'was ended before it was done' : `ended with exit code ${exitCode}`
  throw failure(`The probe beside the node ${how}: ${stderr.trim().slice(-500)}`)
}

/** The JVM asks for the time when it needs it. */
const lookEveryMs = 30
const showMs = 5_000
/** As long as it takes until a drift is so far off, or this. */
const driftMs = { offset: 20, least: 500, most: 2_000 }
/** Calls on several threads write beside each other how long a fault has been there and what it made of the time. */
const raceMs = 50

/**
 * On what this fault alone made of the times that the JVM was told, whatever others made of them. Undefined for a kind that is not one of the
 * clock.
 * @param look at the last time that the JVM was told; undefined when that was before the fault
 */
export async function proveOnClock(
  kind: string,
  parameters: Parameters,
  look: () => Promise<ClockOffset | undefined>,
  clock: LabClock = realClock,
): Promise<NodeFaultProof | undefined> {
  switch (kind) {
    case 'clock-jump': {
      const wanted = Number(parameters['offset'])
      const { isShown, last } = await lookFor(look, { timeoutMs: showMs, clock }, ({ offsetMs }) => offsetMs === wanted)
      return {
        shown: isShown,
        text: `the JVM was told ${last === undefined ? 'no time' : `a time that is ${describe(last.offsetMs)}`}`,
      }
    }
    case 'clock-drift': {
      const rate = Number(parameters['rate'])
      const enoughMs = Math.min(driftMs.most, Math.max(driftMs.least, (driftMs.offset / Math.abs(rate)) * 1_000))
      const { isShown, last } = await lookFor(
        look,
        { timeoutMs: enoughMs + showMs, clock },
        ({ offsetMs, sinceMs }) => {
          const apart = Math.abs(offsetMs - (sinceMs * rate) / 1_000)
          return sinceMs >= enoughMs && apart <= 1 + (raceMs * Math.abs(rate)) / 1_000
        },
      )
      if (last === undefined) return { shown: false, text: 'the JVM was told no time' }
      const { offsetMs, sinceMs } = last
      const text = `the time that the JVM is told ${offsetMs < 0 ? 'lost' : 'gained'} ${Math.abs(offsetMs)} ms in ${sinceMs} ms`
      // A millisecond is the least that can be told.
      return isShown && Math.abs(offsetMs) < 2
        ? { shown: undefined, text: `${text}, too little to be told in that time` }
        : { shown: isShown, text }
    }
    case 'clock-strobe': {
      const [wanted, period] = [Number(parameters['offset']), Number(parameters['period'])]
      const seen = { off: false, right: false }
      await lookFor(look, { timeoutMs: showMs + 4 * period, clock }, ({ offsetMs }) => {
        if (offsetMs === wanted) seen.off = true
        else if (offsetMs === 0) seen.right = true
        return seen.off && seen.right
      })
      const words = [...(seen.right ? ['right'] : []), ...(seen.off ? [describe(wanted)] : [])].join(' and ')
      return {
        shown: seen.off && seen.right,
        text: `the JVM was told times that are ${words || 'neither right nor off'}`,
      }
    }
    default:
      return undefined
  }
}

async function lookFor(
  look: () => Promise<ClockOffset | undefined>,
  patience: { readonly timeoutMs: number; readonly clock: LabClock },
  isIt: (told: ClockOffset) => boolean,
): Promise<{ readonly isShown: boolean; readonly last: ClockOffset | undefined }> {
  let last: ClockOffset | undefined
  const ask = async (): Promise<true | undefined> => {
    last = await look()
    return (last !== undefined && isIt(last)) || undefined
  }
  const isShown = (await poll(ask, { everyMs: lookEveryMs, ...patience })) === true
  return { isShown, last }
}

function describe(offsetMs: number): string {
  if (offsetMs === 0) return 'right'
  return `${Math.abs(offsetMs)} ms ${offsetMs < 0 ? 'behind' : 'ahead'}`
}
