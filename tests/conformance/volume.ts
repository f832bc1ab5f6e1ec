/** A file system of its own for a folder, which can be made to fail under the files that are open on it. Linux, as root. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmdirSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const run = (command: string, ...args: string[]): void => void execFileSync(command, args, { stdio: 'ignore' })

export class Volume {
  readonly #image: string
  readonly #folder: string

  /** An empty one of so many megabytes, mounted on `folder`. */
  constructor(image: string, folder: string, megabytes: number) {
    this.#image = image
    this.#folder = folder
    writeFileSync(image, '')
    truncateSync(image, megabytes * 1024 * 1024)
    run('mkfs.ext4', '-q', '-F', image)
    mkdirSync(folder, { recursive: true })
    this.mount()
  }

  /** As a kernel does that has met an error of the disk: every write is refused from now on, to files that are open too. */
  fail(): void {
    run('mount', '-o', 'remount,abort', this.#folder)
  }

  /** Whole again, with all that was written; nobody may have a file open on it. */
  repair(): void {
    this.unmount()
    try {
      run('e2fsck', '-fy', this.#image)
    } catch (error) {
      // 1: it has corrected what the failure left.
      if ((error as { status?: number }).status !== 1) throw error
    }
    this.mount()
  }

  mount(): void {
    run('mount', '-o', 'loop', this.#image, this.#folder)
    // Apache Kafka takes whatever it finds in a log directory for a partition.
    rmdirSync(path.join(this.#folder, 'lost+found'))
  }

  unmount(): void {
    run('umount', this.#folder)
  }
}
