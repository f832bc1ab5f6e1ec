import { describe, expect, test } from 'vitest'
import { LeaderWatch } from '#simulator/seeds/leaders.ts'

const first = { name: 'node-1', incarnation: 1 }
const view = { leaderEpoch: 3, highWatermark: 10, lastStableOffset: 5 }

describe('leaders of partitions with transactions', () => {
  test('are one for each epoch', () => {
    const watch = new LeaderWatch()
    watch.look('t-0', first, view)
    watch.look('t-0', { ...first, name: 'node-2' }, { ...view, leaderEpoch: 4 })
    watch.look('t-1', { ...first, name: 'node-2' }, view)
    expect(() => watch.look('t-0', { ...first, name: 'node-2' }, view)).toThrow('led by node-1 and by node-2')
  })

  test('show a last stable offset that never goes back in one life, nor above the high watermark', () => {
    const watch = new LeaderWatch()
    watch.look('t-0', first, view)
    expect(() => watch.look('t-0', first, { ...view, lastStableOffset: 4 })).toThrow('went back from 5 to 4')
    expect(() => watch.look('t-0', first, { ...view, lastStableOffset: 11 })).toThrow('above the high watermark 10')
    watch.look('t-0', { ...first, incarnation: 2 }, { ...view, lastStableOffset: 0 })
  })
})
