/** Faults that a capstone hides: how each begins and ends, and the ailment that a diagnosis should find. */
import type { Engine } from '../../cluster/cluster.ts'
import { seededRandom } from '../../cluster/random.ts'
import type { LabRun } from '../script.ts'
import { everyNode, node } from '../targets.ts'
import type { Ailment } from './diagnose.ts'

export interface HiddenFault {
  readonly ailment: Ailment
  /** Where it is something else to whoever looks from outside. */
  readonly ailmentOn?: Partial<Readonly<Record<Engine, Ailment>>>
  /** @param usualWriteMs  of a healthy broker on this machine */
  readonly begin: (run: LabRun, broker: number, usualWriteMs: number) => Promise<unknown>
  readonly end: (run: LabRun, broker: number) => Promise<unknown>
}

const hourMs = 3_600_000

/** More than a diagnosis calls slow, on this machine; a disk of ours blocks for two seconds at most. */
function slowDelayMs(usualWriteMs: number): number {
  return Math.min(2_000, Math.max(250, 6 * usualWriteMs))
}

export interface Round {
  readonly fault: HiddenFault
  readonly broker: number
}

/** The same for the same seed, on every runtime. Drawn each time anew, so that no round follows from those before. */
export function drawnRounds(seed: number, faults: readonly HiddenFault[], brokers: readonly number[]): Round[] {
  const random = seededRandom(seed)
  return faults.map(() => ({
    fault: faults[random.below(faults.length)] as HiddenFault,
    broker: brokers[random.below(brokers.length)] as number,
  }))
}

/** Each fault once, on a broker that the seed chooses. */
export function eachOnce(seed: number, faults: readonly HiddenFault[], brokers: readonly number[]): Round[] {
  const random = seededRandom(seed)
  return faults.map(fault => ({ fault, broker: brokers[random.below(brokers.length)] as number }))
}

/** What every runtime can do to a node from outside. */
export const outerFaults: readonly HiddenFault[] = [
  {
    ailment: 'dead',
    begin: (run, broker) => run.kill(node(broker)),
    end: (run, broker) => run.start(node(broker)),
  },
  {
    ailment: 'frozen',
    begin: (run, broker) => run.pause(node(broker)),
    end: (run, broker) => run.resume(node(broker)),
  },
  {
    ailment: 'cut off',
    begin: (run, broker) => run.partition(node(broker), everyNode),
    end: run => run.healPartition(),
  },
]

/** What needs nodes that can be broken from inside. */
export const innerFaults: readonly HiddenFault[] = [
  {
    ailment: 'slow disk',
    begin: (run, broker, usualWriteMs) =>
      run.breakInside('slow-disk', node(broker), { delay: slowDelayMs(usualWriteMs), on: 'write' }),
    end: run => run.healInside(),
  },
  {
    ailment: 'full disk',
    // It ends, in a container whose only log directory takes no more writes, and nothing but its log says why.
    ailmentOn: { 'apache-kafka': 'dead' },
    begin: (run, broker) => run.breakInside('full-disk', node(broker)),
    end: async (run, broker) => {
      await run.healInside()
      // Apache Kafka ends when its only log directory takes no more writes.
      const state = (await run.cluster.nodes()).find(({ id }) => id === broker)?.state
      if (state === 'dead' || state === 'stopped') await run.start(node(broker))
    },
  },
  {
    ailment: 'wrong clock',
    begin: (run, broker) => run.breakInside('clock-jump', node(broker), { offset: hourMs }),
    end: run => run.healInside(),
  },
]
