/** Requests that wait: each is answered once, by what it waits for, by time, or not at all when its client left. */
import { describe, expect, test } from 'vitest'
import { ByteMeter } from '#broker/replication/byte-meter.ts'
import { CommitQueue, Purgatory, type CommitWaiter, type Parker } from '#broker/replication/purgatory.ts'
import { TestTime } from './test-time.ts'

const staying: Parker = { onClose: () => () => {} }

function waiter(requiredOffset: number, log: string[]) {
  const created: CommitWaiter<string> & { isOver: boolean } = {
    requiredOffset,
    isOver: false,
    settle: outcome => {
      log.push(`${requiredOffset} ${outcome}`)
    },
  }
  return created
}

describe('appends that wait for their commit', () => {
  test('are settled in order as the high watermark passes them', () => {
    const queue = new CommitQueue<string>()
    const log: string[] = []
    for (const offset of [1, 3, 5]) queue.add(waiter(offset, log))
    queue.committed(4, 'ok')
    expect(log).toEqual(['1 ok', '3 ok'])
    expect(queue.size).toBe(1)
  })

  test('fail together when the leadership goes', () => {
    const queue = new CommitQueue<string>()
    const log: string[] = []
    for (const offset of [1, 3]) queue.add(waiter(offset, log))
    queue.fail('not leader')
    expect(log).toEqual(['1 not leader', '3 not leader'])
    expect(queue.size).toBe(0)
  })

  test('that gave up are not settled, and do not pile up', () => {
    const queue = new CommitQueue<string>()
    const log: string[] = []
    for (let offset = 1; offset <= 1000; offset += 1) {
      const each = waiter(offset, log)
      queue.add(each)
      each.isOver = true
      queue.noteOver()
    }
    expect(queue.size).toBeLessThan(200)
    queue.committed(2000, 'ok')
    expect(log).toEqual([])
  })

  test('may lead to further commits while they are settled', () => {
    const queue = new CommitQueue<string>()
    const log: string[] = []
    queue.add({
      requiredOffset: 1,
      isOver: false,
      settle: () => {
        log.push('first')
        queue.committed(2, 'inner')
      },
    })
    queue.add(waiter(2, log))
    queue.committed(1, 'outer')
    expect(log).toEqual(['first', '2 inner'])
  })
})

describe('parked operations', () => {
  function parked(options: { isReady?: () => boolean; connection?: Parker; waitMs?: number } = {}) {
    const time = new TestTime()
    const purgatory = new Purgatory<{ name: string }>({ timers: time.timers })
    const keys = [{ name: 'a' }, { name: 'b' }]
    const log: string[] = []
    purgatory.park(
      { keys, isReady: options.isReady ?? (() => true), complete: () => log.push('answered') },
      options.waitMs ?? 500,
      options.connection ?? staying,
    )
    return { time, purgatory, keys, log }
  }

  test('are answered at the end of the turn in which a key woke, once', async () => {
    const { time, purgatory, keys, log } = parked()
    purgatory.wake(keys[0]!)
    purgatory.wake(keys[1]!)
    expect(log).toEqual([])
    await time.settle()
    expect(log).toEqual(['answered'])
    await time.run(1000)
    expect(log).toEqual(['answered'])
    expect(purgatory.size).toBe(0)
  })

  test('go on waiting while they are not ready, and are answered by time', async () => {
    const { time, purgatory, keys, log } = parked({ isReady: () => false })
    purgatory.wake(keys[0]!)
    await time.run(499)
    expect(log).toEqual([])
    await time.run(1)
    expect(log).toEqual(['answered'])
  })

  test('are answered at once when a key goes away', () => {
    const { purgatory, keys, log } = parked({ isReady: () => false })
    purgatory.flushKey(keys[1]!)
    expect(log).toEqual(['answered'])
    expect(purgatory.has(keys[0]!)).toBe(false)
  })

  test('are dropped without an answer when the connection closes', async () => {
    let close: (() => void) | undefined
    const connection: Parker = {
      onClose: run => {
        close = run
        return () => {
          close = undefined
        }
      },
    }
    const { time, purgatory, log } = parked({ connection })
    close?.()
    await time.run(1000)
    expect(log).toEqual([])
    expect(purgatory.size).toBe(0)
  })

  test('take their wish to hear of the connection back when they are answered', async () => {
    let open = 0
    const connection: Parker = {
      onClose: () => {
        open += 1
        return () => {
          open -= 1
        }
      },
    }
    const { time } = parked({ connection })
    expect(open).toBe(1)
    await time.run(500)
    expect(open).toBe(0)
  })
})

describe('the byte meter', () => {
  test('counts bytes as committed when the high watermark passes their batch', () => {
    const meter = new ByteMeter()
    meter.appended(5, 100)
    meter.appended(8, 50)
    meter.committed(7)
    expect(meter).toMatchObject({ appendedBytes: 150, committedBytes: 100 })
    meter.committed(8)
    expect(meter.committedBytes).toBe(150)
  })

  test('starts anew after a truncation', () => {
    const meter = new ByteMeter()
    meter.appended(5, 100)
    meter.truncated()
    meter.appended(5, 10)
    meter.committed(5)
    expect(meter.appendedBytes - meter.committedBytes).toBe(0)
  })
})
