/**
 * Ends a process whose script never gives the thread back (`for (;;) await null`): there neither a timer nor a signal is heard. A thread of its own
 * sees that the main one no longer counts, and says so. Not while a debugger may be attached: at a breakpoint the thread stands still as well.
 */
import { url as inspectorUrl } from 'node:inspector'
import { clearInterval, setInterval } from 'node:timers'
import { Worker } from 'node:worker_threads'
import { messageOf } from '../errors.ts'

/** Judging a long history takes seconds; this is a machine that is very busy with other things, and more. */
export const standstillMs = 60_000

const looks = 20

/** In one piece, as there may be no file beside this module to load it from. */
const watching = `
const { workerData: { memory, stallMs, looks } } = require('node:worker_threads')
const { writeSync } = require('node:fs')
const cell = new Int32Array(memory)
let seen, standing = 0
setInterval(() => {
  standing = cell[0] === seen && cell[1] === 0 ? standing + 1 : 0
  seen = cell[0]
  if (standing < looks) return
  writeSync(2, 'The script has not given the thread back for ' + stallMs / 1000 + ' s: it goes round in a loop. Leaving at once. ' +
    './faultline status shows what is left, ./faultline down removes it.\\n')
  process.kill(process.pid, 'SIGKILL')
}, stallMs / looks)
`

/** Watches from now on; returns how to stop it. */
export function watchForStandstill(stallMs = standstillMs): () => void {
  const memory = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)
  const cell = new Int32Array(memory)
  const count = () => {
    Atomics.add(cell, 0, 1)
    Atomics.store(cell, 1, inspectorUrl() === undefined ? 0 : 1)
  }
  count()
  const beat = setInterval(count, stallMs / looks / 2)
  const thread = new Worker(watching, { eval: true, workerData: { memory, stallMs, looks } })
  thread.on('error', error => {
    process.emitWarning(`Nobody sees any more whether the script stands still: ${messageOf(error)}`)
  })
  thread.unref()
  return () => {
    clearInterval(beat)
    void thread.terminate()
  }
}
