/**
 * What a power failure takes of what was not fsynced. One set of rules for the disk of the simulator and for the real one: of a file each page
 * and the size are lost on their own, pages are torn at sectors, and names of files are lost each on their own or, as a journal of a file system
 * loses them, the latest ones.
 */
import type { Random } from '../environment.ts'

export const pageBytes = 4096
export const sectorBytes = 512

/** A page as it was written, as it was at the last fsync, or so many of its first sectors as they were written. */
export type PageFate = 'written' | 'durable' | number

/** Asked for each thing that was not fsynced, in an order that is always the same. */
export interface PowerLoss {
  page(): PageFate
  /** Of a file whose size was changed. */
  size(durable: number, written: number): number
  /** Which of so many creations, renames and removals, in the order in which they were made, are there afterwards. */
  steps(count: number): boolean[]
}

/** All of it is gone, as if nothing had been written back by itself. */
export const totalLoss: PowerLoss = {
  page: () => 'durable',
  size: durable => durable,
  steps: count => Array.from({ length: count }, () => false),
}

/** By chance, each thing on its own. `names`: 'ordered' ends at some step, as a journal does. */
export function randomLoss(random: Random, names: 'independent' | 'ordered'): PowerLoss {
  return {
    page() {
      const fate = random.below(3)
      if (fate < 2) return fate === 0 ? 'written' : 'durable'
      return 1 + random.below(pageBytes / sectorBytes - 1)
    },
    size(durable, written) {
      const fate = random.below(3)
      if (fate < 2) return fate === 0 ? durable : written
      const least = Math.min(durable, written)
      return least + random.below(Math.max(durable, written) - least + 1)
    },
    steps(count) {
      if (names === 'independent') return Array.from({ length: count }, () => random.below(2) === 0)
      const kept = random.below(count + 1)
      return Array.from({ length: count }, (_, index) => index < kept)
    },
  }
}

/** What is left of a page. `durable` is all of it. */
export function pageAfter(fate: PageFate, written: Buffer, durable: Buffer): Buffer {
  if (fate === 'written') return written
  if (fate === 'durable') return durable
  const torn = Buffer.from(durable)
  written.copy(torn, 0, 0, fate * sectorBytes)
  return torn
}
