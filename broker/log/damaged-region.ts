/** Bytes within a segment that a disk has damaged, as recovery found them: they stay where they are, and nobody is given them. */

export interface DamagedRegion {
  /** Position of the first damaged byte. */
  readonly from: number
  /** Where the next undamaged batch begins, or the end of the file. */
  readonly to: number
  /** First offset that is lost. */
  readonly offset: number
  /** First offset that is not. */
  readonly nextOffset: number
  readonly problem: string
}

/** What almost every segment has; one for all of them. */
export const noDamage: readonly DamagedRegion[] = []

/** The region in which `offset` lies. */
export function damageAt(regions: readonly DamagedRegion[], offset: number): DamagedRegion | undefined {
  return regions.length === 0
    ? undefined
    : regions.find(region => region.offset <= offset && offset < region.nextOffset)
}

/** `position`, or the end of the region that begins there. */
export function behindDamage(regions: readonly DamagedRegion[], position: number): number {
  return regions.length === 0 ? position : (regions.find(({ from }) => from === position)?.to ?? position)
}

/** `limit`, or less: the first offset of a region above `offset`, where a reader has to stop. */
export function readableUntil(regions: readonly DamagedRegion[], offset: number, limit: number): number {
  return regions.reduce((until, region) => (region.offset > offset ? Math.min(until, region.offset) : until), limit)
}
