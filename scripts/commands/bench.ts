/** `bench`: hands over to `bench/main.ts`, which owns its options. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { projectRoot } from '../cluster/state.ts'
import { failure } from '../errors.ts'
import type { Session } from './session.ts'

export async function bench(args: readonly string[], session: Session): Promise<void> {
  const main = join(projectRoot, 'bench', 'main.ts')
  if (!existsSync(main)) throw failure(`${main} is missing: there is no benchmark in this checkout.`)
  const result = await execa(process.execPath, [main, ...args], {
    stdio: 'inherit',
    reject: false,
    cancelSignal: session.signal,
    forceKillAfterDelay: 20_000,
  })
  session.signal.throwIfAborted()
  session.exitCode = result.exitCode ?? 1
}
