/** Faults that a capstone hides: how each begins and ends, and the ailment that a diagnosis should find. */
import type { LabRun } from '../script.ts'
import { everyNode, node } from '../targets.ts'
import type { Ailment } from './diagnose.ts'

export interface HiddenFault {
  readonly ailment: Ailment
  readonly begin: (run: LabRun, broker: number) => Promise<unknown>
  readonly end: (run: LabRun, broker: number) => Promise<unknown>
}

const hourMs = 3_600_000

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
    begin: (run, broker) => run.breakInside('slow-disk', node(broker), { delay: 250, on: 'write' }),
    end: run => run.healInside(),
  },
  {
    ailment: 'full disk',
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
