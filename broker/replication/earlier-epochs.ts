/**
 * Where leader epochs began of which a follower gets no batch any more: compaction took those with which they began, or all of them. The leader knows,
 * and is asked for one epoch after the other (OffsetForLeaderEpoch), from the newest one downwards. A guess would have a former leader cut too little,
 * or too much, when this replica leads (KIP-101).
 */
import type { EpochEntry } from '../log/leader-epochs.ts'
import type { EpochEndOffset } from '../log/log.ts'

export interface EpochGap {
  /** Of the batch behind the gap. */
  readonly epoch: number
  readonly baseOffset: number
}

/**
 * @param has  where the log of the follower ends, and its newest epoch; -1: none
 * @param ask  the leader for the end of the largest epoch not above the one given; undefined: it did not answer
 * @returns rising; undefined when the leader did not answer
 */
export async function earlierEpochs(
  gap: EpochGap,
  has: { readonly endOffset: number; readonly epoch: number },
  ask: (epoch: number) => Promise<EpochEndOffset | undefined>,
): Promise<EpochEntry[] | undefined> {
  const entries: EpochEntry[] = []
  for (let { epoch } = gap; epoch > has.epoch;) {
    const before = epoch === 0 ? { leaderEpoch: -1, endOffset: has.endOffset } : await ask(epoch - 1)
    if (before === undefined) return undefined
    const { leaderEpoch, endOffset: startOffset } = before
    const [next] = entries
    // It knows no older one. What it says of an epoch that it never had is where the one above begins.
    if (startOffset < has.endOffset || startOffset > gap.baseOffset || startOffset === next?.startOffset) break
    entries.unshift({ epoch, startOffset })
    if (leaderEpoch >= epoch || startOffset === has.endOffset) break
    epoch = leaderEpoch
  }
  // As Kafka's replicas take it, where the leader does not know it either.
  return entries.length > 0 ? entries : [{ epoch: gap.epoch, startOffset: gap.baseOffset }]
}
