import { beforeEach, describe, expect, it } from 'vitest'
import type { Environment, Socket } from '#broker/environment/environment.ts'
import type { Connection } from '#broker/net/connection.ts'
import { Door, type Admission, type Admissions, type Arrival } from '#broker/net/door.ts'

class FakeConnection {
  readonly calls: string[] = []
  lastActiveMs = 0
  readonly closed: () => void
  constructor(closed: () => void) {
    this.closed = closed
  }
  hold = () => void this.calls.push('hold')
  release = () => void this.calls.push('release')
  mute = (ms: number) => void this.calls.push(`mute ${ms}`)
  destroy = () => void this.calls.push('destroy')
}

/** So many connections of each listener; `brokers` has room always, and costs another when there are too many in all. */
class Room implements Admissions {
  readonly counts = new Map<string, number>()
  most = 1
  refuse: Admission | undefined
  admit({ listener }: Arrival): Admission {
    const count = this.counts.get(listener) ?? 0
    if (count >= this.most && listener !== 'brokers') return 'full'
    if (this.refuse !== undefined) return this.refuse
    this.counts.set(listener, count + 1)
    return { waitMs: 0, costsAnother: listener === 'brokers' && this.counts.size > 1 }
  }
  left({ listener }: Arrival): void {
    this.counts.set(listener, (this.counts.get(listener) ?? 0) - 1)
  }
}

describe('the door of a listener', () => {
  let room: Room
  let door: Door
  let timers: { ms: number; run: () => void }[]
  let canceled: number
  let letGo: string[]

  beforeEach(() => {
    room = new Room()
    timers = []
    canceled = 0
    letGo = []
    const environment = {
      clock: { monotonicMs: () => 0 },
      timers: { after: (ms: number, run: () => void) => ({ cancel: () => canceled++, run: timers.push({ ms, run }) }) },
      log: { warn: () => undefined },
    } as unknown as Environment
    door = new Door(environment, room, 2)
  })

  function enter(name: string, listener = 'clients'): FakeConnection | undefined {
    let made: FakeConnection | undefined
    const socket = {
      remote: { host: name, port: 1 },
      handle: () => undefined,
      destroy: () => letGo.push(name),
    } as unknown as Socket
    door.enter(socket, { listener, ip: name }, closed => (made = new FakeConnection(closed)) as unknown as Connection)
    return made
  }

  it('lets a connection wait for another to end, the first that came first', () => {
    const first = enter('a')
    const second = enter('b')
    const third = enter('c')
    expect([first?.calls, second?.calls, third?.calls]).toEqual([['mute 0'], ['hold'], ['hold']])
    expect(door.connectionsCount).toBe(1)
    first?.closed()
    expect([second?.calls, third?.calls]).toEqual([['hold', 'mute 0', 'release'], ['hold']])
    expect(door.connectionsCount).toBe(1)
  })

  it('lets nobody pass those who wait', () => {
    const first = enter('a')
    const second = enter('b')
    room.most = 2
    const third = enter('c')
    expect(third?.calls).toEqual(['hold'])
    first?.closed()
    expect([second?.calls.at(-1), third?.calls.at(-1)]).toEqual(['release', 'release'])
  })

  it('forgets who ended while waiting', () => {
    const first = enter('a')
    enter('b')?.closed()
    const third = enter('c')
    first?.closed()
    expect(third?.calls).toEqual(['hold', 'mute 0', 'release'])
    expect(room.counts.get('clients')).toBe(1)
  })

  it('lets go whoever comes when too many wait', () => {
    for (const name of ['a', 'b', 'c', 'd']) enter(name)
    expect(letGo).toEqual(['d'])
  })

  it('admits those who wait when the quotas are changed', () => {
    enter('a')
    const second = enter('b')
    room.most = 2
    door.admitWaiting()
    expect(second?.calls).toEqual(['hold', 'mute 0', 'release'])
  })

  it('of one listener does not keep another one waiting', () => {
    enter('a')
    const waiting = enter('b')
    const other = enter('c', 'others')
    expect([waiting?.calls, other?.calls]).toEqual([['hold'], ['mute 0']])
  })

  it('lets go one that waited and is then refused', () => {
    const first = enter('a')
    const second = enter('b')
    room.refuse = { refused: 'too fast', afterMs: 7 }
    first?.closed()
    expect(timers.map(({ ms }) => ms)).toEqual([7])
    timers[0]?.run()
    expect(second?.calls).toEqual(['hold', 'destroy'])
  })

  it('closes those who are refused with a wait, too, when it closes', () => {
    const first = enter('a')
    const second = enter('b')
    room.refuse = { refused: 'too fast', afterMs: 7 }
    first?.closed()
    enter('c')
    expect([second?.calls, letGo]).toEqual([['hold'], []])
    door.close()
    expect([second?.calls, letGo]).toEqual([['hold', 'destroy'], ['c']])
    second?.closed()
    expect(canceled, 'no timer outlasts its connection').toBe(1)
    door.close()
    expect(second?.calls).toEqual(['hold', 'destroy'])
  })

  it('closes the client that was silent for longest to let a broker in', () => {
    room.most = 3
    const clients = ['a', 'b', 'c'].map(name => enter(name))
    for (const [index, client] of clients.entries())
      if (client !== undefined) client.lastActiveMs = [5, 1, 3][index] ?? 0
    enter('broker', 'brokers')
    enter('broker', 'brokers')
    expect(clients.map(client => client?.calls.includes('destroy'))).toEqual([false, true, true])
  })
})
