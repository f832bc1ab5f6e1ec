import { describe, expect, test } from 'vitest'
import type { SimulationFailure } from '#simulator/world/failure.ts'
import { World } from '#simulator/world/world.ts'

describe('a world', () => {
  test('has all the time there is: a day passes at once', async () => {
    const world = new World({ seed: 1 })
    await world.run(() => world.sleep(23 * 3_600_000))
    expect(world.nowMs).toBe(23 * 3_600_000)
  })

  test('runs everything an event set off before the next event of the same instant', async () => {
    const world = new World({ seed: 1 })
    const order: string[] = []
    await world.run(async () => {
      const { timers } = world.node('n').start()
      timers.after(1, () => {
        order.push('first')
        void (async () => {
          for (let depth = 0; depth < 100; depth++) await Promise.resolve()
          order.push('first, deep')
        })()
      })
      timers.after(1, () => order.push('second'))
      await world.sleep(2)
    })
    expect(order).toEqual(['first', 'first, deep', 'second'])
  })

  test('fails with seed, time and place when a node throws', async () => {
    const world = new World({ seed: 42 })
    const run = world.run(async () => {
      const { timers, log } = world.node('n').start()
      log.info('Before the mistake')
      timers.after(7, () => {
        throw new Error('a mistake')
      })
      await world.sleep(10)
    })
    await expect(run).rejects.toThrow('seed 42 at 7 ms, timer of n: a mistake')
    const failure = (await run.catch((error: unknown) => error)) as SimulationFailure
    expect(failure.trace.join('\n')).toContain('Before the mistake')
  })

  test('fails when an invariant breaks, and names the event before it', async () => {
    const world = new World({ seed: 1 })
    let value = 0
    world.onEvent(() => {
      if (value === 2) throw new Error('two is forbidden')
    })
    const run = world.run(async () => {
      const { timers } = world.node('n').start()
      timers.after(1, () => value++)
      timers.after(2, () => value++)
      timers.after(3, () => value++)
      await world.sleep(10)
    })
    await expect(run).rejects.toThrow('seed 1 at 2 ms, invariant after timer of n: two is forbidden')
    expect(value).toBe(2)
  })

  test('fails when a promise is rejected and nobody handles it', async () => {
    const world = new World({ seed: 1, drain: 'immediate' })
    const run = world.run(async () => {
      world
        .node('n')
        .start()
        .timers.after(1, () => void Promise.reject(new Error('forgotten')))
      await world.sleep(10)
    })
    await expect(run).rejects.toThrow('in a promise that nobody handled: forgotten')
  })

  test('fails when nothing can happen any more, when the time is up, and when it runs in circles', async () => {
    await expect(new World({ seed: 1 }).run(() => new Promise(() => {}))).rejects.toThrow(
      'Nothing is scheduled any more',
    )
    const slow = new World({ seed: 1 })
    await expect(slow.run(() => slow.sleep(2000), { limitMs: 1000 })).rejects.toThrow('did not end in time')
    const circle = new World({ seed: 1 })
    const run = circle.run(async () => {
      const { timers } = circle.node('n').start()
      const again = (): void => timers.soon(again)
      again()
      await circle.sleep(1)
    })
    await expect(run).rejects.toThrow('the code runs in circles')
  })

  test('a halt ends the node, not the run, and nothing after it runs', async () => {
    const world = new World({ seed: 1 })
    let reason = ''
    let after = false
    await world.run(async () => {
      const node = world.node('n')
      node.onCrash(why => (reason = why))
      const environment = node.start()
      environment.timers.after(1, () => {
        environment.halt('disk is gone')
        after = true
      })
      await world.sleep(5)
      expect(node.state).toBe('down')
    })
    expect([reason, after]).toEqual(['disk is gone', false])
  })

  test('a stalled node does nothing for that long, in order afterwards', async () => {
    const world = new World({ seed: 1 })
    const at: [string, number][] = []
    await world.run(async () => {
      const node = world.node('n')
      const { timers } = node.start()
      timers.after(1, () => {
        node.stall(50_000)
        timers.soon(() => at.push(['soon', world.nowMs]))
      })
      timers.after(20, () => at.push(['timer', world.nowMs]))
      timers.after(60, () => at.push(['later', world.nowMs]))
      await world.sleep(100)
    })
    expect(at).toEqual([
      ['soon', 51],
      ['timer', 51],
      ['later', 60],
    ])
  })
})
