/** The driver with real files, frames and handlers, on simulated machines: what it persists, sends, delivers and survives. */
import { describe, expect, it } from 'vitest'
import { failingDisk } from '#broker/environment/faulty/failing-disk.ts'
import { fullDisk } from '#broker/environment/faulty/full-disk.ts'
import type { FetchResponse } from '#broker/protocol/messages/01-fetch.ts'
import type { DescribeQuorumResponse } from '#broker/protocol/messages/55-describe-quorum.ts'
import { errorName } from '#broker/protocol/errors.ts'
import type { UpdateRaftVoterResponse } from '#broker/protocol/messages/82-update-raft-voter.ts'
import { makeDurableDirectory } from '#broker/log/small-files.ts'
import { QuorumStateFile } from '#broker/raft/quorum-state-file.ts'
import { port, RaftCluster, scenario } from './raft-cluster.ts'
import { clusterId } from './raft-node.ts'

describe('the driver of the metadata quorum', () => {
  it('commits alone when it is the only voter', () =>
    scenario(1, 1, async cluster => {
      const node = cluster.start(1)
      await cluster.leader()
      expect(node.driver.leader).toEqual({ leaderId: 1, epoch: 1 })
      expect(node.propose('a', 'b')).toEqual({ baseOffset: 1, lastOffset: 2 })
      await cluster.until('committed', () => node.driver.highWatermark === 3)
      expect(node.listener.values).toEqual(['a', 'b'])
    }))

  it('elects one of three voters, replicates and commits', () =>
    scenario(2, 3, async cluster => {
      cluster.startAll()
      await cluster.commit('a', 'b')
      await cluster.commit('c')
      const epochs = new Set([...cluster.nodes.values()].map(node => node.driver.leader.epoch))
      expect(epochs.size).toBe(1)
      for (const node of cluster.nodes.values()) expect(node.listener.values).toEqual(['a', 'b', 'c'])
    }))

  it('lets an observer follow without a vote', () =>
    scenario(3, 3, async cluster => {
      cluster.startAll()
      await cluster.commit('before')
      const observer = cluster.start(4)
      await cluster.until('caught up', () => observer.listener.values.includes('before'))
      await cluster.commit('after')
      expect(observer.listener.values).toEqual(['before', 'after'])
      const leader = await cluster.leader()
      expect(leader.driver.describe()?.observers.map(replica => replica.id)).toEqual([4])
      expect(observer.driver.leader).toEqual(leader.driver.leader)
    }))

  it('says once for each voter that a node of another cluster is refused, and by whom', () =>
    scenario(11, 1, async cluster => {
      cluster.startAll()
      await cluster.commit('a')
      cluster.start(4, { clusterId: 'AAAAAAAAAAAAAAAAAAAAcQ' })
      const refusals = () => cluster.world.trace.lines().filter(line => line.includes('refuses this node'))
      await cluster.until('the refusal is logged', () => refusals().length > 0)
      // Long enough for many more tries.
      await cluster.world.sleep(2_000)
      expect(refusals()).toHaveLength(1)
      expect(refusals()[0]).toMatch(
        /node-4 .*ERROR.* voter=1 .*node-1.* error=INCONSISTENT_CLUSTER_ID .*of another cluster/,
      )
      expect(cluster.nodes.get(4)?.listener.values).toEqual([])
    }))

  it('warns once of a voter whose host name means no address, and finds it when it does', () =>
    scenario(14, 3, async cluster => {
      cluster.start(1)
      const warnings = () => cluster.world.trace.lines().filter(line => line.includes('means no address'))
      await cluster.until('both are warned of', () => warnings().length === 2)
      // Long enough for many more tries.
      await cluster.world.sleep(2_000)
      expect(warnings().map(line => /WARN.* voter=(\d)/.exec(line)?.[1])).toEqual(['2', '3'])
      for (const id of [2, 3]) cluster.start(id)
      await cluster.commit('a')
    }))

  it('warns once of a voter whose epoch is too far ahead to be believed, and goes on without it', () =>
    scenario(12, 3, async cluster => {
      const { disk } = cluster.world.node('node-1').start()
      const directory = '/meta/__cluster_metadata-0'
      makeDurableDirectory(disk, directory)
      new QuorumStateFile(disk, directory, [1, 2, 3]).write({ epoch: 2 ** 21, leaderId: undefined, votedId: undefined })
      cluster.kill(1)
      for (const id of [2, 3]) cluster.start(id)
      await cluster.commit('a')
      const astray = cluster.start(1)
      const leader = await cluster.leader()
      const warnings = () => cluster.world.trace.lines().filter(line => line.includes('too far ahead'))
      await cluster.until('the warning is logged', () => warnings().length > 0)
      await cluster.world.sleep(5_000)
      expect(warnings()).toHaveLength(1)
      expect(warnings()[0]).toMatch(new RegExp(`node-${leader.id} .*WARN.* voter=1 .*epoch=${2 ** 21} ownEpoch=`))
      expect(leader.propose('b')).toBeDefined()
      await cluster.until('committed', () => leader.listener.values.includes('b'))
      expect(leader.driver.leader.epoch).toBeLessThan(10)
      expect(astray.listener.values).toEqual([])
    }))

  it('a leader whose disk is full says nothing until there is space; the others elect another, and it catches up', () =>
    scenario(13, 3, async cluster => {
      cluster.startAll()
      await cluster.commit('a')
      const first = await cluster.leader()
      const { faults } = cluster.world.node(`node-${first.id}`)
      const id = faults.add(fullDisk())
      expect(first.propose('never promised')).toBeDefined()
      // No longer asked: it takes nothing that it cannot keep.
      expect([first.propose('b'), first.driver.isRunning]).toEqual([undefined, false])
      const others = [...cluster.nodes.values()].filter(node => node !== first)
      await cluster.until('another leader', () => others.some(node => node.isLeader && node.propose('c') !== undefined))
      await cluster.until('c is committed', () => others.every(node => node.listener.values.includes('c')))
      await cluster.world.sleep(10_000)
      expect(first.listener.values).toEqual(['a'])
      expect(cluster.world.node(`node-${first.id}`).state).toBe('up')
      faults.heal(id)
      await cluster.until('it has caught up', () => first.listener.values.includes('c'))
      for (const node of cluster.nodes.values()) expect(node.listener.values).toEqual(['a', 'c'])
    }))

  it('a leader that had to refuse a proposal for want of space gives up its leadership, however soon there is space', () =>
    scenario(16, 3, async cluster => {
      cluster.startAll()
      await cluster.commit('a')
      const first = await cluster.leader()
      const { epoch } = first.driver.leader
      const { faults } = cluster.world.node(`node-${first.id}`)
      const id = faults.add(fullDisk())
      first.propose('waits for space')
      expect(first.propose('refused')).toBeUndefined()
      faults.heal(id)
      await cluster.until('a leader of a later epoch', () =>
        [...cluster.nodes.values()].some(node => node.isLeader && node.driver.leader.epoch > epoch),
      )
      await cluster.commit('b')
      await cluster.until('all have it', () =>
        [...cluster.nodes.values()].every(node => node.listener.values.includes('b')),
      )
      for (const node of cluster.nodes.values()) expect(node.listener.values).not.toContain('refused')
    }))

  it('with all disks full nothing is committed, nobody halts, and all goes on with the space', () =>
    scenario(14, 3, async cluster => {
      cluster.startAll()
      await cluster.commit('a')
      const machines = cluster.voters.map(({ id }) => cluster.world.node(`node-${id}`))
      for (const { faults } of machines) faults.add(fullDisk({ afterBytes: 100 }))
      const leader = await cluster.leader()
      for (let index = 0; index < 5; index++) leader.propose(`lost ${index}`, 'x'.repeat(100))
      await cluster.world.sleep(30_000)
      for (const node of cluster.nodes.values()) expect(node.listener.values).toEqual(['a'])
      expect(machines.map(({ state }) => state)).toEqual(['up', 'up', 'up'])
      for (const { faults } of machines) faults.healAll()
      await cluster.commit('b')
      const [one, ...rest] = [...cluster.nodes.values()].map(node => node.listener.values)
      for (const values of rest) expect(values).toEqual(one)
    }))

  it('a stop of a node whose disk is full ends', () =>
    scenario(15, 1, async cluster => {
      const node = cluster.start(1)
      await cluster.commit('a')
      cluster.world.node('node-1').faults.add(fullDisk())
      node.propose('b')
      await node.stop()
    }))

  it('keeps what was committed when the leader dies and the power of all fails', () =>
    scenario(4, 3, async cluster => {
      cluster.startAll()
      await cluster.commit('a')
      const first = await cluster.leader()
      cluster.kill(first.id)
      await cluster.commit('b')
      for (const voter of cluster.voters) cluster.powerFailure(voter.id)
      cluster.startAll()
      await cluster.commit('c')
      for (const node of cluster.nodes.values()) expect(node.listener.values).toEqual(['a', 'b', 'c'])
    }))

  it('a voter that lost its log, and not its vote, is brought back by the others', () =>
    scenario(31, 3, async cluster => {
      cluster.startAll()
      await cluster.commit('a', 'b')
      await cluster.world.sleep(2000)
      const directory = '/meta/__cluster_metadata-0'
      const node = cluster.world.node('node-2')
      cluster.kill(2)
      let { disk } = node.start()
      const damaged = disk.open(`${directory}/00000000000000000000.log`, 'write')
      damaged.write([Buffer.from([0xee])], 100)
      damaged.close()
      node.kill()
      // It does not start as it is; what the message says to do brings it back.
      expect(() => cluster.start(2)).toThrow(/everything in \/meta\/__cluster_metadata-0 but quorum-state/)
      node.kill()
      ;({ disk } = node.start())
      for (const { name } of disk.list(directory)) if (name !== 'quorum-state') disk.remove(`${directory}/${name}`)
      node.kill()
      cluster.start(2)
      await cluster.commit('c')
      expect(cluster.nodes.get(2)?.listener.values).toEqual(['a', 'b', 'c'])
    }))

  it('tells a new leader of its leadership only when it knows everything committed before', () =>
    scenario(5, 3, async cluster => {
      cluster.startAll()
      await cluster.commit('a')
      const first = await cluster.leader()
      await cluster.commit('b')
      cluster.kill(first.id)
      const second = await cluster.leader()
      expect(second.id).not.toBe(first.id)
      expect(second.listener.knownAtElection.get(second.driver.leader.epoch)).toEqual(['a', 'b'])
    }))

  it('hands leadership over when it stops, without waiting for a fetch timeout', () =>
    scenario(6, 3, async cluster => {
      cluster.startAll()
      await cluster.commit('a')
      const first = await cluster.leader()
      const beganMs = cluster.world.nowMs
      cluster.nodes.delete(first.id)
      await first.stop()
      cluster.world.node(`node-${first.id}`).exit()
      const second = await cluster.leader()
      expect(second.id).not.toBe(first.id)
      expect(cluster.world.nowMs - beganMs).toBeLessThan(1000)
    }))

  it('lets the listener propose from within a delivery', () =>
    scenario(7, 1, async cluster => {
      const node = cluster.start(1)
      await cluster.leader()
      node.listener.onCommitted = batch => {
        if (batch.records[0]?.toString() === 'question') node.propose('answer')
      }
      node.propose('question')
      await cluster.until('the answer', () => node.listener.values.includes('answer'))
      expect(node.listener.values).toEqual(['question', 'answer'])
    }))

  it('refuses a proposal of an old epoch, and of a node that does not lead', () =>
    scenario(8, 3, async cluster => {
      cluster.startAll()
      await cluster.commit('a')
      const leader = await cluster.leader()
      expect(leader.driver.propose(leader.driver.leader.epoch - 1, [Buffer.from('late')])).toBeUndefined()
      for (const node of cluster.nodes.values()) if (node !== leader) expect(node.propose('no')).toBeUndefined()
      expect(() => leader.driver.propose(leader.driver.leader.epoch, [Buffer.alloc(9 * 1024 * 1024)])).toThrow(
        /at most/,
      )
    }))

  it('writes snapshots, drops the log they replace, and serves them to who lags behind', () =>
    scenario(
      9,
      3,
      async cluster => {
        cluster.startAll()
        await cluster.commit('first')
        const leader = await cluster.leader()
        const lagging = cluster.voters.find(voter => voter.id !== leader.id)?.id ?? 0
        cluster.kill(lagging)
        const text = 'x'.repeat(300)
        for (let index = 0; index < 60; index += 1) await cluster.commit(`${index} ${text}`)
        await cluster.until('the log start to move', () =>
          [...cluster.nodes.values()].every(node => node.driver.logStartOffset > 0),
        )
        const late = cluster.start(lagging)
        const observer = cluster.start(9)
        await cluster.commit('last')
        expect(late.listener.values).toEqual(leader.listener.values)
        expect(observer.listener.values).toEqual(leader.listener.values)
        expect(late.listener.snapshotsLoaded).toBeGreaterThan(0)
        expect(observer.driver.logStartOffset).toBeGreaterThan(0)
        // A restart finds snapshot and log again.
        cluster.kill(lagging)
        const again = cluster.start(lagging)
        await cluster.commit('after restart')
        expect(again.listener.values).toEqual(leader.listener.values)
      },
      { snapshotAfterBytes: 4000 },
    ))

  it('describes the quorum in every version, at the leader only', () =>
    scenario(11, 3, async cluster => {
      cluster.startAll()
      const observer = cluster.start(4)
      await cluster.commit('a')
      const leader = await cluster.leader()
      const other = cluster.voters.find(voter => voter.id !== leader.id)
      const describeAt = async (id: number, maxVersion: number, topicName = '__cluster_metadata') => {
        const address = { host: `node-${id}`, port }
        const body = { topics: [{ topicName, partitions: [{ partitionIndex: 0 }] }] }
        const { response } = await observer.client.send<DescribeQuorumResponse>(address, 55, body, {
          timeoutMs: 1000,
          maxVersion,
        })
        return { response, partition: response.topics[0]?.partitions[0] }
      }
      const endOffset = leader.driver.logEndOffset
      await cluster.until('all to have fetched at the end', () => {
        const replicas = leader.driver.describe()
        return [...(replicas?.voters ?? []), ...(replicas?.observers ?? [])].every(
          replica => replica.endOffset === endOffset,
        )
      })
      for (const version of [0, 1, 2]) {
        const { response, partition } = await describeAt(leader.id, version)
        expect(partition).toMatchObject({ errorCode: 0, leaderId: leader.id, leaderEpoch: leader.driver.leader.epoch })
        expect(partition?.highWatermark).toBe(endOffset)
        expect(partition?.currentVoters.map(voter => [voter.replicaId, voter.logEndOffset])).toEqual(
          [1, 2, 3].map(id => [id, endOffset]),
        )
        expect(partition?.observers.map(replica => replica.replicaId)).toEqual([4])
        const lastFetches = partition?.currentVoters.map(voter => cluster.world.wallMs - voter.lastFetchTimestamp) ?? []
        if (version > 0) for (const agoMs of lastFetches) expect(agoMs).toBeLessThan(1000)
        expect(response.nodes.map(node => node.nodeId)).toEqual(version < 2 ? [] : [1, 2, 3])
      }
      expect((await describeAt(other?.id ?? 0, 2)).partition?.errorCode, 'NOT_LEADER_OR_FOLLOWER').toBe(6)
      expect((await describeAt(leader.id, 2, 'events')).partition?.errorCode, 'UNKNOWN_TOPIC_OR_PARTITION').toBe(3)
    }))

  it('answers fetches of every version, also of those that have no room for a leader', () =>
    scenario(13, 3, async cluster => {
      cluster.startAll()
      const observer = cluster.start(4)
      await cluster.commit('a')
      const leader = await cluster.leader()
      for (const [maxVersion, expected] of [
        // They cannot name the epoch of their last record, and a replica has to: INVALID_REQUEST.
        [4, { errorCode: 42 }],
        [11, { errorCode: 42 }],
        [12, { errorCode: 0, currentLeader: { leaderId: leader.id } }],
      ] as const) {
        const at = { partition: 0, currentLeaderEpoch: leader.driver.leader.epoch, fetchOffset: 0 }
        const since12 = maxVersion < 12 ? {} : { lastFetchedEpoch: 0 }
        const partitions = [{ ...at, ...since12, partitionMaxBytes: 1_000 }]
        const body = { maxWaitMs: 0, minBytes: 0, topics: [{ topic: '__cluster_metadata', partitions }] }
        const address = { host: `node-${leader.id}`, port }
        const options = { timeoutMs: 1000, maxVersion }
        const { response } = await observer.client.send<FetchResponse>(address, 1, body, options)
        expect(response.responses[0]?.partitions[0], `version ${maxVersion}`).toMatchObject(expected)
      }
    }))

  it('takes note of a voter that describes itself, as Kafka’s voters do, and of nobody else', () =>
    scenario(12, 3, async cluster => {
      cluster.startAll()
      const observer = cluster.start(4)
      await cluster.commit('a')
      const leader = await cluster.leader()
      const { epoch } = leader.driver.leader
      const update = async (to: number, fields: object): Promise<string> => {
        const address = { host: `node-${to}`, port }
        const noRange = { minSupportedVersion: 0, maxSupportedVersion: 1 }
        const voter = {
          voterId: 2,
          voterDirectoryId: 'AAAAAAAAAAAAAAAAAAAAAA',
          listeners: [],
          kRaftVersionFeature: noRange,
        }
        const body = { clusterId, currentLeaderEpoch: epoch, ...voter, ...fields }
        const { response } = await observer.client.send<UpdateRaftVoterResponse>(address, 82, body, { timeoutMs: 1000 })
        expect(response.currentLeader).toMatchObject({
          leaderId: leader.id,
          leaderEpoch: epoch,
          host: `node-${leader.id}`,
        })
        return errorName(response.errorCode)
      }
      const other = cluster.voters.find(voter => voter.id !== leader.id)?.id ?? 0
      expect(await update(leader.id, {})).toBe('NONE')
      expect(await update(leader.id, { voterId: 4 })).toBe('VOTER_NOT_FOUND')
      expect(await update(leader.id, { clusterId: 'another' })).toBe('INCONSISTENT_CLUSTER_ID')
      expect(await update(leader.id, { currentLeaderEpoch: epoch - 1 })).toBe('FENCED_LEADER_EPOCH')
      expect(await update(leader.id, { currentLeaderEpoch: epoch + 1 })).toBe('UNKNOWN_LEADER_EPOCH')
      expect(await update(other, {})).toBe('NOT_LEADER_OR_FOLLOWER')
    }))

  it('ends the node when the disk of the metadata log fails', async () => {
    const cluster = new RaftCluster(10, 1)
    const outcome = cluster.world.run(async () => {
      const node = cluster.start(1)
      await cluster.leader()
      node.propose('a')
      await cluster.until('committed', () => node.listener.values.length === 1)
      cluster.world.node('node-1').faults.add(failingDisk({ operations: ['sync'] }))
      node.propose('b')
      await cluster.until('the node is gone', () => cluster.world.node('node-1').state !== 'up')
    })
    await outcome
  })
})
