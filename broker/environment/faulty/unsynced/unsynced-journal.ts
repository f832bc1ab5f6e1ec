/**
 * The journal of what is not fsynced: a file of records, a line of JSON each, written before what they tell of is done. It need not be fsynced
 * itself: a process that is killed leaves it as whole as everything else that it wrote, and that is what it is for. Of a line that is not whole
 * nothing was done yet.
 */
import { DiskError, type Disk, type DiskFile } from '../../environment.ts'
import { UnsyncedState, type UnsyncedRecord } from './unsynced-state.ts'

/** In the directory of the node: the journal, and where removed things wait until their removal is durable. */
export const unsyncedNames = { journal: 'unsynced.journal', aside: 'unsynced' } as const
/** A journal that is longer than what there is to know by so much is written anew. */
const slackBytes = 4 << 20

export class UnsyncedJournal {
  readonly state: UnsyncedState
  /** Where removed things wait until their removal is durable. */
  readonly aside: string
  readonly #disk: Disk
  readonly #path: string
  #file: DiskFile
  #bytes: number
  #bytesAnew: number

  /** Goes on with what an earlier process left. @param directory of this node alone, on the file system of its logs */
  constructor(disk: Disk, directory: string) {
    this.#disk = disk
    this.aside = `${directory}/${unsyncedNames.aside}`
    this.#path = `${directory}/${unsyncedNames.journal}`
    this.state = new UnsyncedState(this.aside)
    disk.makeDirectory(this.aside)
    this.#file = disk.open(this.#path, 'write')
    const records = readRecords(this.#file)
    for (const record of records) this.state.apply(record)
    this.#undoLast(records.findLast(record => record.kind === 'step')?.step)
    this.#file.close()
    this.#removeStrays()
    this.#bytes = this.#bytesAnew = 0
    this.#file = this.#writeAnew()
  }

  /** Tells whether an earlier process has left a journal. */
  static exists(disk: Disk, directory: string): boolean {
    return disk.stat(`${directory}/${unsyncedNames.journal}`) !== undefined
  }

  /** Forgets what was not durable: it is now, or it is gone with all the rest. Only while no process uses it. */
  static remove(disk: Disk, directory: string): void {
    disk.remove(`${directory}/${unsyncedNames.journal}`)
    disk.remove(`${directory}/${unsyncedNames.aside}`)
  }

  add(record: UnsyncedRecord): void {
    if (this.#bytes > this.#bytesAnew + slackBytes) {
      this.#file.close()
      this.#file = this.#writeAnew()
    }
    const line = Buffer.from(`${JSON.stringify(record)}\n`)
    try {
      this.#file.write([line], this.#bytes)
    } catch (error) {
      // Nothing of it may stay: the next line is written in its place, and may be shorter.
      this.#file.truncate(this.#bytes)
      throw error
    }
    this.#bytes += line.length
    for (const path of this.state.apply(record)) this.#disk.remove(path)
  }

  /** What was removed and waits for nobody: nothing is left to be lost. */
  end(): void {
    this.#file.close()
    this.#disk.remove(this.#path)
    this.#disk.remove(this.aside)
  }

  #writeAnew(): DiskFile {
    const temporary = `${this.#path}.new`
    this.#disk.remove(temporary)
    const file = this.#disk.open(temporary, 'write')
    let bytes = 0
    for (const record of this.state.records()) {
      const line = Buffer.from(`${JSON.stringify(record)}\n`)
      file.write([line], bytes)
      bytes += line.length
    }
    this.#disk.rename(temporary, this.#path)
    this.#bytes = this.#bytesAnew = bytes
    return file
  }

  /** The process may have ended between the record of a step and the step itself. */
  #undoLast(number: number | undefined): void {
    const step = this.state.pending.find(each => each.step === number)
    if (step === undefined) return
    const isThere = (path: string): boolean => this.#disk.stat(path) !== undefined
    const last = step.moves.at(-1)
    const [made] = step.changes
    const isDone =
      last === undefined
        ? made === undefined || made.after === 0 || isThere(this.state.pathOf(made.after))
        : isThere(last.to) && !isThere(last.from)
    if (!isDone) this.state.apply({ kind: 'undone', step: step.step })
  }

  /** Copies that were made for a step that was not recorded any more. */
  #removeStrays(): void {
    for (const { name } of this.#disk.list(this.aside)) {
      const path = `${this.aside}/${name}`
      if (this.state.at(path) === undefined) this.#disk.remove(path)
    }
  }
}

function readRecords(file: DiskFile): UnsyncedRecord[] {
  const bytes = Buffer.alloc(file.size())
  file.read(bytes, 0)
  const lines = bytes.toString('utf8').split('\n')
  // The last one is empty, or was not written to its end.
  lines.pop()
  return lines.map((line, index) => {
    try {
      return JSON.parse(line) as UnsyncedRecord
    } catch (error) {
      throw new DiskError('OTHER', 'read', `${file.path}, line ${index + 1}`, error)
    }
  })
}
