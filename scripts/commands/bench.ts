/** `bench`: hands over to `bench/main.ts`, which owns its options. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { failure } from '../errors.ts'
import { installation } from '../installation/here.ts'
import type { Session } from './session.ts'

export async function bench(args: readonly string[], session: Session): Promise<void> {
  const main = join(installation.root, 'bench', 'main.ts')
  if (!existsSync(main)) throw failure(`${main} is missing: the benchmarks are part of a checkout, not of the package.`)
  const result = await execa(process.execPath, [main, ...args], {
    stdio: 'inherit',
    reject: false,
    cancelSignal: session.signal,
    forceKillAfterDelay: 20_000,
  })
  session.signal.throwIfAborted()
  session.exitCode = result.exitCode ?? 1
}
