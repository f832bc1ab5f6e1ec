/** A process of the pool: takes a seed, runs it twice, answers with the report. */
import type { World } from '../world/world.ts'
import { brokerOfSeed } from './broker.ts'
import { type SeedTask, standstillReports } from './worker-channel.ts'
import { Watchdog } from '../watchdog/watchdog.ts'
import { runTwice } from './run-twice.ts'

const watchdog = new Watchdog({ reportTo: standstillReports })

process.on('message', (task: SeedTask) => {
  const { seed, safetyMs } = task
  const onWorld = (world: World): void => watchdog.watch(world)
  runTwice({ seed, onWorld, ...brokerOfSeed, ...(safetyMs === undefined ? {} : { safetyMs }) }).then(
    report => {
      watchdog.rest()
      process.send?.(report)
    },
    (error: unknown) => {
      // Not a failure of the run but of the simulator itself: the pool reports it with this process's end.
      console.error(error)
      process.exit(1)
    },
  )
})

// The pool is gone: whatever is under way is of no use to anybody.
process.on('disconnect', () => process.exit(1))
