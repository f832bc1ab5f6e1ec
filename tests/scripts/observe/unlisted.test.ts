import { createServer, type AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { realClock } from '#scripts/cluster/clock.ts'
import { frameOf } from '#scripts/commands/watch-frame.ts'
import { isUnknown, unknown } from '#scripts/observe/model.ts'
import { observe, observeOnce } from '#scripts/observe/observe.ts'
import { inWords } from '#scripts/observe/words.ts'

/** A port at which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

describe('what nobody lists', () => {
  test('is unknown with the reason, and is not none', async () => {
    const address = `127.0.0.1:${await closedPort()}`
    const cluster = { bootstrap: [address], clock: realClock, kafkaOptions: () => ({ brokers: [address] }) }
    const watch = { topics: 'all', groups: 'all', transactions: 'open', quorum: true } as const
    const seen = await observeOnce(cluster, watch)
    for (const list of [seen.topics, seen.groups, seen.transactions])
      expect(list).toEqual({ unknown: expect.stringContaining('broker') as string })
    const text = await frameOf('mine', seen, [], [])
    expect(text).toContain('topics: unknown')
    expect(text).not.toMatch(/\bno (open )?(topics|groups|transactions)/)
    expect(inWords(seen)).toMatch(/topics: unknown \(.+\)\ngroups: unknown \(/)
    for await (const { changes, sequence } of observe(cluster, { ...watch, intervalMs: 10 })) {
      expect(changes.filter(change => 'topic' in change || 'group' in change)).toEqual([])
      if (sequence === 3) break
    }
  })

  test('is told from a topic that is called unknown', () => {
    expect(isUnknown({ unknown: { topicId: 'x', partitions: {} } })).toBe(false)
    expect(isUnknown({ unknown: unknown('nobody tells') })).toBe(false)
    expect(isUnknown(unknown('nobody tells'))).toBe(true)
  })
})
