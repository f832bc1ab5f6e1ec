/** Drives bench/java/SteadyProducer.java: a producer that never stops sending, and the longest gap between its acknowledgements. */
import { join } from 'node:path'
import { execa } from 'execa'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { jarsDirectory } from '#scripts/cluster/apache-kafka/jars.ts'
import { javaCommand } from '#scripts/cluster/apache-kafka/java.ts'
import { poll } from '#scripts/cluster/clock.ts'
import { failure } from '#scripts/errors.ts'
import { sh } from '#scripts/shell.ts'
import { javaArguments } from './java-tools.ts'
import { javacCommand } from './machine.ts'

export interface SteadyProducer {
  /** Acknowledged so far, a quarter of a second old at most. */
  acked(): number
  /** Resolves when `count` more are acknowledged than now. */
  waitForMore(count: number, timeoutMs: number): Promise<void>
  /** Gaps count from now on. */
  mark(): void
  /** Ends it. */
  finish(): Promise<{ longestGapMs: number; acked: number; failed: number }>
}

export async function compileSteadyProducer(work: string, signal: AbortSignal): Promise<string> {
  const classes = join(work, 'classes')
  makeFolder(classes)
  const source = join(import.meta.dirname, '..', 'java', 'SteadyProducer.java')
  const clients = `${jarsDirectory()}/*`
  const compiled = await sh({ signal, timeoutMs: 120_000 })`${javacCommand()} -d ${classes} -cp ${clients} ${source}`
  signal.throwIfAborted()
  if (!compiled.ok) throw failure(`SteadyProducer.java does not compile:\n${compiled.stdall}`)
  return classes
}

export function startSteadyProducer(
  classes: string,
  to: { readonly bootstrap: string; readonly topic: string; readonly intervalMs: number },
  signal: AbortSignal,
): SteadyProducer {
  const child = execa(
    javaCommand(),
    [...javaArguments([classes]), 'SteadyProducer', to.bootstrap, to.topic, String(to.intervalMs)],
    { cancelSignal: signal, timeout: 300_000, reject: false, all: true },
  )
  let acked = 0
  let ended = false
  void child.finally(() => (ended = true))
  let pending = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (pending + chunk.toString()).split('\n')
    pending = lines.pop() ?? ''
    for (const line of lines) acked = Number(/^acked (\d+)$/.exec(line)?.[1] ?? acked)
  })
  return {
    acked: () => acked,
    async waitForMore(count, timeoutMs) {
      const goal = acked + count
      const ask = () => (acked >= goal || ended ? true : undefined)
      const done = await poll(ask, { everyMs: 50, timeoutMs, signal })
      if (done === true && acked >= goal) return
      throw failure(`The producer got ${acked} acknowledgements, not ${goal}, within ${timeoutMs / 1000} s.`)
    },
    mark: () => void child.stdin.write('mark\n'),
    async finish() {
      child.stdin.end()
      const result = await child
      signal.throwIfAborted()
      const found = /^longest ([\d.]+) acked (\d+) failed (\d+)$/m.exec(result.stdout)
      if (found === null) throw failure(`The producer did not end in order:\n${result.all.slice(-1_500)}`)
      return { longestGapMs: Number(found[1]), acked: Number(found[2]), failed: Number(found[3]) }
    },
  }
}
