/**
 * Delivery states of a share partition as ranges of offsets. Writes say what changed since the last one; combined with what was there they
 * give the state again. Where two ranges overlap, the one delivered more often counts, and of two delivered equally often the later state
 * (available < acknowledged < archived). Neighbours in the same state become one range.
 * Source: KIP-932, "Share-group state topic"; PersisterStateBatchCombiner of Kafka has the same result.
 */

export interface StateBatch {
  readonly firstOffset: number
  /** Inclusive. */
  readonly lastOffset: number
  /** 0 available, 2 acknowledged, 4 archived; acquisition (1) is never written. */
  readonly deliveryState: number
  readonly deliveryCount: number
}

const isLater = (a: StateBatch, b: StateBatch): boolean =>
  a.deliveryCount === b.deliveryCount ? a.deliveryState > b.deliveryState : a.deliveryCount > b.deliveryCount

const isSameState = (a: StateBatch, b: StateBatch): boolean =>
  a.deliveryCount === b.deliveryCount && a.deliveryState === b.deliveryState

/**
 * Disjoint ranges in the order of offsets.
 * @param startOffset  what lies before it is dropped; -1: nothing is
 */
export function combineBatches(
  known: readonly StateBatch[],
  news: readonly StateBatch[],
  startOffset: number,
): StateBatch[] {
  let combined: StateBatch[] = []
  for (const batch of known) combined = overlay(combined, batch)
  for (const batch of news) combined = overlay(combined, batch)
  return joinNeighbours(startOffset === -1 ? combined : dropBefore(combined, startOffset))
}

function overlay(ranges: readonly StateBatch[], batch: StateBatch): StateBatch[] {
  const last = ranges.at(-1)
  if (last === undefined || last.lastOffset < batch.firstOffset) return [...ranges, batch]
  const result: StateBatch[] = []
  let nextOffset = batch.firstOffset
  /** The part of the new range that nothing known covers, up to `untilOffset`. */
  const uncovered = (untilOffset: number): void => {
    const lastOffset = Math.min(untilOffset - 1, batch.lastOffset)
    if (lastOffset < nextOffset) return
    result.push({ ...batch, firstOffset: nextOffset, lastOffset })
    nextOffset = lastOffset + 1
  }
  for (const range of ranges) {
    uncovered(range.firstOffset)
    const firstOffset = Math.max(range.firstOffset, batch.firstOffset)
    const lastOffset = Math.min(range.lastOffset, batch.lastOffset)
    if (lastOffset < firstOffset) {
      result.push(range)
      continue
    }
    if (range.firstOffset < firstOffset) result.push({ ...range, lastOffset: firstOffset - 1 })
    result.push({ ...(isLater(batch, range) ? batch : range), firstOffset, lastOffset })
    if (lastOffset < range.lastOffset) result.push({ ...range, firstOffset: lastOffset + 1 })
    nextOffset = lastOffset + 1
  }
  uncovered(Infinity)
  return result
}

function dropBefore(ranges: readonly StateBatch[], startOffset: number): StateBatch[] {
  return ranges
    .filter(({ lastOffset }) => lastOffset >= startOffset)
    .map(range => (range.firstOffset < startOffset ? { ...range, firstOffset: startOffset } : range))
}

function joinNeighbours(ranges: readonly StateBatch[]): StateBatch[] {
  const joined: StateBatch[] = []
  for (const range of ranges) {
    const last = joined.at(-1)
    if (last !== undefined && last.lastOffset + 1 === range.firstOffset && isSameState(last, range))
      joined[joined.length - 1] = { ...last, lastOffset: range.lastOffset }
    else joined.push(range)
  }
  return joined
}
