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

/*
 * All of these take the regions of one segment in their order, none of which overlaps another. A disk that failed page by page leaves as many as
 * there are batches, and every read asks: none of them is looked at one by one.
 */

/** How many regions come before the first that `isBeyond`; all behind it are as well. */
function countBefore(regions: readonly DamagedRegion[], isBeyond: (region: DamagedRegion) => boolean): number {
  let low = 0
  let high = regions.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBeyond(regions[middle]!)) high = middle
    else low = middle + 1
  }
  return low
}

/** The region in which `offset` lies. */
export function damageAt(regions: readonly DamagedRegion[], offset: number): DamagedRegion | undefined {
  const region = regions[countBefore(regions, each => each.offset > offset) - 1]
  return region !== undefined && offset < region.nextOffset ? region : undefined
}

/** The region in which the byte at `position` lies. */
export function damageHolding(regions: readonly DamagedRegion[], position: number): DamagedRegion | undefined {
  const region = regions[countBefore(regions, each => each.from > position) - 1]
  return region !== undefined && position < region.to ? region : undefined
}

/** The region that begins at `position`. */
export function damageFrom(regions: readonly DamagedRegion[], position: number): DamagedRegion | undefined {
  const region = damageHolding(regions, position)
  return region?.from === position ? region : undefined
}

/** The region that ends at `position`. */
export function damageUpTo(regions: readonly DamagedRegion[], position: number): DamagedRegion | undefined {
  const region = regions[countBefore(regions, each => each.to >= position)]
  return region?.to === position ? region : undefined
}

/** `position`, or the end of the region that begins there. */
export function behindDamage(regions: readonly DamagedRegion[], position: number): number {
  return damageFrom(regions, position)?.to ?? position
}

/** `limit`, or less: the first offset of a region above `offset`, where a reader has to stop. */
export function readableUntil(regions: readonly DamagedRegion[], offset: number, limit: number): number {
  return Math.min(limit, regions[countBefore(regions, each => each.offset > offset)]?.offset ?? limit)
}

/** With one more. What overlaps it was told of bytes that read otherwise now: what is still damaged of it is found again. */
export function withDamage(regions: readonly DamagedRegion[], region: DamagedRegion): readonly DamagedRegion[] {
  const first = countBefore(regions, each => each.to > region.from)
  const behind = countBefore(regions, each => each.from >= region.to)
  return regions.toSpliced(first, behind - first, region)
}
