import { describe, expect, test } from 'vitest'
import { ShareAccount } from '#simulator/actors/share-account.ts'

const delivery = { sentMs: 100, member: 'a', partition: 0, isLeaders: true }

describe('what a share group was promised', () => {
  test('a record is not delivered again once its acknowledgement was confirmed', () => {
    const account = new ShareAccount(5)
    account.delivered(delivery, 7, 1)
    account.confirmed({ partition: 0, offset: 7 }, 'a', 150)
    expect(() => account.delivered({ ...delivery, sentMs: 160 }, 7, 2)).toThrow('0:7 was delivered to a')
    // Asked for before the confirmation, or answered by a leader that was deposed: no broken promise.
    account.delivered({ ...delivery, sentMs: 140 }, 7, 2)
    account.delivered({ ...delivery, sentMs: 160, isLeaders: false }, 7, 2)
    account.delivered({ ...delivery, sentMs: 160, partition: 1 }, 7, 1)
  })

  test('a record is delivered no more often than the limit', () => {
    const account = new ShareAccount(5)
    account.delivered(delivery, 7, 5)
    expect(() => account.delivered(delivery, 7, 6)).toThrow('the limit is 5')
    expect(() => account.delivered(delivery, 7, 0)).toThrow('the limit is 5')
  })

  test('what was written and never delivered is named, unless answers enough were lost', () => {
    const account = new ShareAccount(2)
    account.written({ partition: 0, offset: 1 }, 0)
    account.written({ partition: 0, offset: 2 }, 0)
    account.delivered(delivery, 1, 1)
    account.fetchLost(0)
    expect(account.undelivered()).toEqual(['0:2'])
    account.fetchLost(0)
    expect(account.undelivered()).toEqual([])
    account.written({ partition: 0, offset: 3 }, account.lostOf(0))
    expect(account.undelivered(), 'what was lost before it was written is no excuse').toEqual(['0:3'])
  })
})
