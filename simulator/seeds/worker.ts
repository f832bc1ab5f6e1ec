/** A process of the pool: takes a seed, runs it twice, answers with the report. */
import { brokerOfSeed } from './broker.ts'
import type { SeedTask } from './pool.ts'
import { runTwice } from './run-twice.ts'

process.on('message', (task: SeedTask) => {
  const { seed, safetyMs } = task
  runTwice({ seed, ...brokerOfSeed, ...(safetyMs === undefined ? {} : { safetyMs }) }).then(
    report => process.send?.(report),
    (error: unknown) => {
      // Not a failure of the run but of the simulator itself: the pool reports it with this process's end.
      console.error(error)
      process.exit(1)
    },
  )
})

// The pool is gone: whatever is under way is of no use to anybody.
process.on('disconnect', () => process.exit(1))
