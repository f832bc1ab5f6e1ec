/**
 * The driver of the metadata quorum on machines that lack something: space, file descriptors, or a batch of its own log that the disk has
 * damaged. Nobody ends for want of what may be there again, and nothing damaged is given to anybody.
 */
import { describe, expect, it } from 'vitest'
import { DiskError } from '#broker/environment/environment.ts'
import { failingDisk } from '#broker/environment/faulty/failing-disk.ts'
import { fullDisk } from '#broker/environment/faulty/full-disk.ts'
import { readFile } from '#broker/log/small-files.ts'
import { scenario, type RaftCluster } from './raft-cluster.ts'
import type { RaftNode } from './raft-node.ts'

const metadataLog = '/meta/__cluster_metadata-0/00000000000000000000.log'
/** Small, so that a node that was away for a while needs a snapshot. */
const snapshotOften = { snapshotAfterBytes: 2_000 }

const stateOf = (cluster: RaftCluster, id: number) => cluster.world.node(`node-${id}`).state
const faultsOf = (cluster: RaftCluster, id: number) => cluster.world.node(`node-${id}`).faults
const linesOf = (cluster: RaftCluster, text: string) => cluster.world.trace.lines().filter(line => line.includes(text))

async function commitMany(cluster: RaftCluster, nodes: readonly RaftNode[], count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const value = `${index} ${'x'.repeat(500)}`
    await cluster.until(`a leader takes ${index}`, () =>
      nodes.some(node => node.isLeader && node.propose(value) !== undefined),
    )
    await cluster.until(`${index} is committed`, () => nodes.every(node => node.listener.values.includes(value)))
  }
}

/** Flips a bit of a value in the file of the log. */
function damage(cluster: RaftCluster, id: number, value: string): void {
  const disk = cluster.diskOf(id)
  const at = readFile(disk, metadataLog)!.indexOf(value)
  expect(at).toBeGreaterThan(0)
  const file = disk.open(metadataLog, 'write')
  file.write([Buffer.from('!')], at)
  file.close()
}

describe('a full disk', () => {
  it('under the first records of a new quorum, wherever it ends, halts nobody', async () => {
    for (let afterBytes = 0; afterBytes <= 1600; afterBytes += 40)
      await scenario(20, 1, async cluster => {
        const environment = cluster.world.node('node-1').start()
        environment.disk.makeDirectory('/meta')
        cluster.kill(1)
        const node = cluster.start(1)
        const id = faultsOf(cluster, 1).add(fullDisk({ afterBytes }))
        await cluster.world.sleep(3_000)
        if (node.isLeader) node.propose('waits', 'x'.repeat(400))
        await cluster.world.sleep(3_000)
        expect([afterBytes, stateOf(cluster, 1)]).toEqual([afterBytes, 'up'])
        faultsOf(cluster, 1).heal(id)
        await cluster.commit('b')
      })
  })

  it.each(['ENOSPC', 'EMFILE'] as const)(
    'or any other shortage (%s) while a snapshot is installed ends when it is over',
    async code => {
      let installs = 0
      for (let oneIn = 1; oneIn <= 5; oneIn++)
        await scenario(
          21 + oneIn,
          3,
          async cluster => {
            cluster.startAll()
            await cluster.commit('a')
            const [away] = [...cluster.nodes.values()].filter(node => !node.isLeader)
            cluster.kill(away!.id)
            const others = [...cluster.nodes.values()]
            await commitMany(cluster, others, 30)
            await cluster.until('the log begins later', () => others.some(node => node.driver.logStartOffset > 5))
            const back = cluster.start(away!.id)
            const operations = ['open', 'rename', 'truncate', 'write', 'makeDirectory', 'list'] as const
            const id = faultsOf(cluster, away!.id).add(
              failingDisk({ code, operations, oneIn, path: /__cluster_metadata/ }),
            )
            await cluster.world.sleep(20_000)
            expect([oneIn, stateOf(cluster, away!.id)]).toEqual([oneIn, 'up'])
            faultsOf(cluster, away!.id).heal(id)
            await cluster.commit('b')
            expect(back.listener.values.filter(value => value !== 'b')).toEqual(
              others[0]!.listener.values.filter(value => value !== 'b'),
            )
            installs += back.listener.snapshotsLoaded
          },
          snapshotOften,
        )
      expect(installs).toBeGreaterThan(0)
    },
  )
})

describe('without file descriptors', () => {
  it('a leader waits, and the quorum goes on when there are some', () =>
    scenario(30, 3, async cluster => {
      cluster.startAll()
      await cluster.commit('a')
      for (let seconds = 0; seconds < 5; seconds++) {
        const leader = await cluster.leader()
        const id = faultsOf(cluster, leader.id).add(
          failingDisk({ code: 'EMFILE', operations: ['open', 'list', 'syncDirectory'], oneIn: 1 + (seconds % 3) }),
        )
        leader.propose(`while there is none ${seconds}`)
        await cluster.world.sleep(4_000)
        expect(cluster.voters.map(voter => stateOf(cluster, voter.id))).toEqual(['up', 'up', 'up'])
        faultsOf(cluster, leader.id).heal(id)
        await cluster.commit(`after ${seconds}`)
      }
      const [one, ...rest] = [...cluster.nodes.values()].map(node => node.listener.values)
      for (const values of rest) expect(values).toEqual(one)
    }))

  it('whose committed records could not be read then, a node is not told of an earlier leader after a later one', () =>
    scenario(32, 3, async cluster => {
      cluster.startAll()
      await cluster.commit('a')
      const node = [...cluster.nodes.values()].find(each => !each.isLeader)!
      const driver = node.driver as unknown as {
        deliver(ready: { highWatermark: number; leader: object }): void
        delivery: { advance(...args: unknown[]): void }
      }
      const { delivery } = driver
      const advance = delivery.advance.bind(delivery)
      delivery.advance = (...args) => {
        advance(...args)
        delivery.advance = advance
        throw new DiskError('EMFILE', 'open', metadataLog)
      }
      const told = node.listener.leaders.length
      const { highWatermark, leader } = node.driver
      const [earlier, later] = [8, 9].map(leaderId => ({ leaderId, epoch: leader.epoch + leaderId }))
      driver.deliver({ highWatermark, leader: { ...earlier, tellAfterOffset: 0 } })
      driver.deliver({ highWatermark, leader: { ...later, tellAfterOffset: 0 } })
      await cluster.world.sleep(3_000)
      expect(node.listener.leaders.slice(told)).toEqual([earlier, later])
    }))

  it('and a stop ends', () =>
    scenario(31, 1, async cluster => {
      const node = cluster.start(1)
      await cluster.commit('a')
      faultsOf(cluster, 1).add(failingDisk({ code: 'EMFILE', operations: ['open', 'list', 'syncDirectory'] }))
      node.propose('b')
      await node.stop()
    }))
})

describe('a leader with a damaged batch', () => {
  /** All have `precious`, and have opened their logs since; on the leader's disk it is damaged then. */
  async function damagedLeader(cluster: RaftCluster): Promise<RaftNode> {
    cluster.startAll()
    await cluster.commit('a')
    await cluster.commit('precious')
    for (const { id } of cluster.voters) cluster.kill(id)
    cluster.startAll()
    await cluster.commit('b')
    const leader = await cluster.leader()
    damage(cluster, leader.id, 'precious')
    return leader
  }

  it('gives it to nobody, and another voter leads, from which all is copied', () =>
    scenario(40, 3, async cluster => {
      const leader = await damagedLeader(cluster)
      const { epoch } = leader.driver.leader
      const observer = cluster.start(4)
      await cluster.until('the observer has all', () => observer.listener.values.includes('b'))
      expect(observer.listener.values).toEqual(['a', 'precious', 'b'])
      expect(observer.driver.leader.epoch).toBeGreaterThan(epoch)
      expect(observer.driver.leader.leaderId).not.toBe(leader.id)
      expect(stateOf(cluster, leader.id)).toBe('up')
      expect(linesOf(cluster, 'giving up the leadership')).toHaveLength(1)
    }))

  it('goes on leading when it is the only voter, and says what it cannot serve', () =>
    scenario(41, 1, async cluster => {
      const leader = await damagedLeader(cluster)
      const { epoch } = leader.driver.leader
      const observer = cluster.start(4)
      await cluster.until('it is said', () => linesOf(cluster, 'A batch is damaged on disk').length > 0)
      await cluster.world.sleep(5_000)
      expect([leader.driver.leader, stateOf(cluster, 1)]).toEqual([{ leaderId: 1, epoch }, 'up'])
      expect(observer.listener.values).toEqual(['a'])
      expect(leader.propose('c')).toBeDefined()
      await cluster.until('c is committed', () => leader.listener.values.includes('c'))
    }))

  it('does not give it up over and over when nobody else has what is needed', () =>
    scenario(42, 3, async cluster => {
      const leader = await damagedLeader(cluster)
      for (const { id } of cluster.voters) if (id !== leader.id) damage(cluster, id, 'precious')
      cluster.start(4)
      await cluster.until('it is said', () => linesOf(cluster, 'giving up the leadership').length > 0)
      await cluster.world.sleep(30_000)
      expect(linesOf(cluster, 'giving up the leadership').length).toBeLessThanOrEqual(3)
      await cluster.until('c is committed', () =>
        [...cluster.nodes.values()].some(node => node.isLeader && node.propose('c') !== undefined),
      )
    }))
})

it('tens of thousands of events that came while the disk was full are taken one after the other, not one within the other', () =>
  scenario(50, 1, async cluster => {
    const node = cluster.start(1)
    await cluster.commit('a')
    const id = faultsOf(cluster, 1).add(fullDisk())
    node.propose('waits')
    const { epoch } = node.driver.leader
    for (let index = 0; index < 30_000; index++) expect(node.driver.propose(epoch, [])).toBeUndefined()
    faultsOf(cluster, 1).heal(id)
    await cluster.commit('b')
    expect(stateOf(cluster, 1)).toBe('up')
  }))
