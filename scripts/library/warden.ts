/**
 * Looks after what clusters leave when the process that started them is killed and cannot clean up. Waits as a shell that costs next to nothing;
 * when the pipe to its owner ends without a farewell, the shell becomes `warden-main.ts`, which ends and removes what is there.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { installation } from '../installation/here.ts'

/** Runs beside its owner. `dismiss` it when there is nothing left to look after. */
export class Warden {
  readonly #shell: ChildProcess

  constructor(directory: string) {
    const script = 'read -r farewell && exit 0; exec "$0" "$@"'
    this.#shell = spawn('/bin/sh', ['-c', script, process.execPath, installation.wardenMain, directory], {
      // A group of its own: Ctrl-C is for its owner.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
    })
    // It is there when the owner is not: whether it lives is nothing to the owner.
    this.#shell.on('error', () => undefined)
    this.#shell.stdin?.on('error', () => undefined)
    this.#shell.unref()
    ;(this.#shell.stdin as Socket | null)?.unref()
  }

  dismiss(): void {
    this.#shell.stdin?.end('done\n')
  }
}
