/** A process of the pool whose seed 1 goes round in promise callbacks, once its world has come to 1500 ms. */
import { standstillReports, type SeedTask } from '#simulator/seeds/worker-channel.ts'
import { Watchdog } from '#simulator/watchdog/watchdog.ts'
import { World } from '#simulator/world/world.ts'

const watchdog = new Watchdog({ reportTo: standstillReports, stallMs: 400 })

process.on('message', ({ seed }: SeedTask) => {
  const world = new World({ seed })
  watchdog.watch(world)
  world
    .run(async () => {
      await world.sleep(1500)
      if (seed === 1) await goRound()
    })
    .then(
      () => {
        watchdog.rest()
        process.send?.({ failure: undefined })
      },
      (error: unknown) => {
        console.error(error)
        process.exit(1)
      },
    )
})

async function goRound(): Promise<never> {
  for (;;) await Promise.resolve()
}
