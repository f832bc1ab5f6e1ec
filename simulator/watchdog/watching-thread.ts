/** The thread that watches: looks at the memory from time to time, and at what the main thread runs once that stands still. */
import { Session } from 'node:inspector/promises'
import type { Runtime } from 'node:inspector'
import { workerData } from 'node:worker_threads'
import { reportStandstill, standing, type Standstill, type WatchedBy } from './watchdog.ts'

const functionsShown = 8
const looksPerStall = 20
const profileMs = 1_000
/** A main thread inside native code answers nothing. */
const answerWithinMs = 10_000

const { memory, reportTo, stallMs } = workerData as WatchedBy

/** The functions in which the main thread spends its time now, the busiest first. */
async function codeOfMainThread(): Promise<string> {
  const session = new Session()
  session.connectToMainThread()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
  await after(profileMs)
  const { profile } = await session.post('Profiler.stop')
  const busy = profile.nodes
    .filter(({ callFrame, hitCount }) => (hitCount ?? 0) > 0 && isNamed(callFrame))
    .sort((left, right) => (right.hitCount ?? 0) - (left.hitCount ?? 0))
  const names = new Set(busy.map(({ callFrame }) => describe(callFrame)))
  return [...names].slice(0, functionsShown).join(', ') || 'its functions could not be seen'
}

/** Not idle time, the garbage collector or the inside of Node.js. */
function isNamed({ url }: Runtime.CallFrame): boolean {
  return url !== '' && !url.startsWith('node:')
}

function describe({ functionName, url, lineNumber }: Runtime.CallFrame): string {
  const file = url.split('/').slice(-2).join('/')
  return `${functionName || 'anonymous'} (${file}:${lineNumber + 1})`
}

function after(delayMs: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, delayMs))
}

function silence(): Promise<string> {
  return after(answerWithinMs).then(() => 'it is inside of native code')
}

let seen: number | undefined
let looks = 0

setInterval(() => {
  const now = standing(memory)
  const key = now === undefined ? undefined : now.event
  looks = key !== undefined && key === seen ? looks + 1 : 0
  seen = key
  if (now === undefined || looks < looksPerStall) return
  looks = 0
  void endWith(now)
}, stallMs / looksPerStall)

async function endWith(at: Standstill): Promise<void> {
  let code: string
  try {
    code = await Promise.race([codeOfMainThread(), silence()])
  } catch (error) {
    // Without the names of functions the report is worth less, and still worth all the rest.
    code = `its functions could not be seen: ${String(error)}`
  }
  reportStandstill(reportTo, at, { stallMs, code })
  process.kill(process.pid, 'SIGKILL')
}
