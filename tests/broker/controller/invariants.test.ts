/** Random lives of a cluster: whatever brokers, clients and controllers do in whatever order, the metadata stays sound. */
import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { alterPartition } from '#broker/controller/alter-partition.ts'
import { brokerHeartbeat } from '#broker/controller/broker-heartbeat.ts'
import { assignDirectories, createPartitions, deleteTopics, electLeaders } from '#broker/controller/change-topics.ts'
import { createTopics } from '#broker/controller/create-topics.ts'
import { applyRecords, compareImages, ImageBuilder } from '#broker/controller/image-builder.ts'
import { MetadataImage } from '#broker/controller/image.ts'
import { reassignPartitions } from '#broker/controller/reassign-partitions.ts'
import { registerBroker, unregisterBroker } from '#broker/controller/register-broker.ts'
import { clusterId, Harness } from './harness.ts'

type Step = (cluster: Life) => void

/** A cluster with what its brokers and clients remember, right or wrong. */
class Life {
  readonly harness: Harness
  readonly delayed: ReturnType<Harness['isrProposal']>[] = []
  readonly unclean: boolean
  incarnations = 0
  constructor(seed: number, { unclean, elr }: { unclean: boolean; elr: boolean }) {
    this.unclean = unclean
    const config = { 'unclean.leader.election.enable': String(unclean), 'min.insync.replicas': '2' }
    this.harness = new Harness({ seed, config, elr })
  }
  topics(): string[] {
    return [...this.harness.image.topicsByName.keys()]
  }
}

const brokerIds = [1, 2, 3, 4]
const broker = fc.constantFrom(...brokerIds)
const pick = <T>(items: readonly T[], choice: number): T | undefined => items[choice % Math.max(1, items.length)]

const steps: fc.Arbitrary<Step>[] = [
  fc.tuple(broker, fc.boolean(), fc.boolean()).map(([id, wiped, moved]) => life => {
    const n = ++life.incarnations
    const request = life.harness.registration(id, {
      incarnation: `life${n}`,
      directories: wiped ? [`fresh${n}`] : [`directory${id}`],
      ...(moved ? { port: 10_000 + n } : {}),
    })
    life.harness.propose(registerBroker, request)
  }),
  fc.tuple(broker, fc.boolean(), fc.constantFrom(0, 0, 0, 5)).map(([id, wantShutDown, behind]) => life => {
    life.harness.propose(brokerHeartbeat, {
      brokerId: id,
      brokerEpoch: life.harness.epochOf(id),
      currentMetadataOffset: life.harness.log.length - 1 - behind,
      wantFence: false,
      wantShutDown: wantShutDown && behind === 0,
    })
  }),
  fc.constantFrom(100, 3_000, 9_500).map(ms => life => life.harness.pass(ms)),
  fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 3 })).map(([name, replicationFactor]) => life => {
    const topic = { name: `topic${name}`, numPartitions: 2, replicationFactor, assignments: [], configs: [] }
    life.harness.propose(createTopics, { topics: [topic], validateOnly: false })
  }),
  fc.nat().map(choice => life => {
    const name = pick(life.topics(), choice)
    if (name === undefined || choice % 3 !== 0) return
    life.harness.propose(deleteTopics, { topics: [{ name, topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }] })
  }),
  fc.nat().map(choice => life => {
    const name = pick(life.topics(), choice)
    if (name === undefined) return
    const count = life.harness.image.topicsByName.get(name)!.partitions.size + 1
    life.harness.propose(createPartitions, { topics: [{ name, count, assignments: null }], validateOnly: false })
  }),
  // Some brokers go silent while the others live on.
  fc.subarray(brokerIds).map(alive => life => {
    const registered = () => alive.filter(id => life.harness.image.brokers.has(id))
    for (let second = 0; second < 10; second++) {
      life.harness.pass(1_000)
      for (const id of registered()) life.harness.heartbeat(id)
    }
  }),
  // All in-sync sets shrink to their leaders.
  fc.constant<Step>(life => {
    for (const name of life.topics()) {
      const { leader } = life.harness.partition(name)
      life.harness.propose(alterPartition, life.harness.isrProposal(name, [leader]))
    }
  }),
  // A leader proposes any subset of the replicas, now or with a delay.
  fc
    .tuple(fc.nat(), fc.subarray(brokerIds), fc.boolean(), fc.boolean())
    .map(([choice, members, late, recovering]) => life => {
      const name = pick(life.topics(), choice)
      if (name === undefined) return
      const { leader, replicas, leaderRecoveryState } = life.harness.partition(name)
      const isr = [leader, ...replicas.filter(id => id !== leader && members.includes(id))]
      const recovery = recovering ? leaderRecoveryState : 0
      const proposal = life.harness.isrProposal(name, isr, { recovery })
      if (late) life.delayed.push(proposal)
      else life.harness.propose(alterPartition, proposal)
    }),
  fc.nat().map(choice => life => {
    const proposal = pick(life.delayed, choice)
    if (proposal !== undefined) life.harness.propose(alterPartition, proposal)
  }),
  fc.tuple(broker, fc.nat()).map(([id, choice]) => life => {
    const name = pick(life.topics(), choice)
    const directory = life.harness.image.brokers.get(id)?.directories[0]
    if (name === undefined || directory === undefined) return
    const topicId = life.harness.image.topicsByName.get(name)!.id
    life.harness.propose(assignDirectories, {
      brokerId: id,
      brokerEpoch: life.harness.epochOf(id),
      directories: [{ id: directory, topics: [{ topicId, partitions: [{ partitionIndex: 0 }] }] }],
    })
  }),
  fc.constantFrom(0, 1).map(electionType => life => {
    life.harness.propose(electLeaders, { electionType: life.unclean ? electionType : 0, topicPartitions: null })
  }),
  // Another target, or back.
  fc.tuple(fc.nat(), fc.option(fc.shuffledSubarray(brokerIds, { minLength: 1 }))).map(([choice, replicas]) => life => {
    const name = pick(life.topics(), choice)
    if (name === undefined) return
    life.harness.propose(reassignPartitions, {
      allowReplicationFactorChange: choice % 2 === 0,
      topics: [{ name, partitions: [{ partitionIndex: 0, replicas }] }],
    })
  }),
  broker.map(id => life => {
    if (life.incarnations % 4 === 0) life.harness.propose(unregisterBroker, { brokerId: id })
  }),
  fc.constant<Step>(life => life.harness.commit()),
  fc.constant<Step>(life => life.harness.failOver()),
]

function checkPartitions({ image }: Harness, withElr: boolean): void {
  for (const topic of image.topicsById.values()) {
    for (const [index, partition] of topic.partitions) {
      const { isr, replicas, leader, addingReplicas, removingReplicas, elr } = partition
      const leads = image.brokers.get(leader)
      const broken = {
        'no replicas': replicas.length === 0,
        'a broker twice in the replicas': new Set(replicas).size !== replicas.length,
        'a mark on what is no replica': [...addingReplicas, ...removingReplicas].some(id => !replicas.includes(id)),
        'an empty ISR': isr.length === 0 && !(withElr && leader === -1),
        'an eligible replica that is in sync': elr.some(id => isr.includes(id)),
        'an eligible replica outside of the replicas': elr.some(id => !replicas.includes(id)),
        'eligible replicas although enough are in sync': elr.length > 0 && (isr.length >= 2 || !withElr),
        'a last known leader beside a leader': partition.lastKnownElr.length > 0 && leader !== -1,
        'a broker twice in the ISR': new Set(isr).size !== isr.length,
        'an ISR outside of the replicas': isr.some(id => !replicas.includes(id)),
        'a leader outside of the ISR': leader !== -1 && !isr.includes(leader),
        'a leader that is fenced': leader !== -1 && leads?.fenced !== false,
        'a leader that shuts down': leads?.inControlledShutdown === true,
        'a replica without a directory': partition.directories.length !== replicas.length,
        'more leader epochs than partition epochs': partition.leaderEpoch > partition.partitionEpoch,
      }
      const found = Object.entries(broken).filter(([, isBroken]) => isBroken)
      const where = `${topic.name}-${index} ${JSON.stringify(partition)}`
      expect(found.map(([what]) => `${what}: ${where}`)).toEqual([])
    }
  }
}

function checkProgress(before: MetadataImage, after: MetadataImage): void {
  for (const [id, registration] of before.brokers) {
    const now = after.brokers.get(id)
    if (now !== undefined) expect(now.epoch).toBeGreaterThanOrEqual(registration.epoch)
  }
  for (const [id, topic] of before.topicsById) {
    for (const [index, partition] of topic.partitions) {
      const now = after.topicsById.get(id)?.partitions.get(index)
      if (now === undefined) continue
      expect(now.leaderEpoch).toBeGreaterThanOrEqual(partition.leaderEpoch)
      expect(now.partitionEpoch).toBeGreaterThanOrEqual(partition.partitionEpoch)
      // One leader per epoch.
      if (now.leaderEpoch === partition.leaderEpoch) expect(now.leader).toBe(partition.leader)
      if (now.partitionEpoch === partition.partitionEpoch) expect(now).toEqual(partition)
    }
  }
}

/** Without unclean elections nobody leads who was not in sync just before. */
function checkClean(before: MetadataImage, after: MetadataImage): void {
  for (const [id, topic] of after.topicsById) {
    for (const [index, partition] of topic.partitions) {
      const earlier = before.topicsById.get(id)?.partitions.get(index)
      if (earlier === undefined || partition.leader === -1 || partition.leader === earlier.leader) continue
      // Nobody else could lead, and the one who led before is back: Kafka calls this a balanced recovery.
      if (earlier.lastKnownElr.includes(partition.leader) && earlier.elr.length === 0) {
        expect(partition.leaderRecoveryState).toBe(1)
        continue
      }
      expect([...earlier.isr, ...earlier.elr]).toContain(partition.leader)
      expect(partition.leaderRecoveryState).toBe(earlier.leaderRecoveryState)
    }
  }
}

function checkFold({ log, image, committed, committedOffset }: Harness): void {
  const folded = applyRecords(MetadataImage.empty(clusterId), log, { offset: image.offset, epoch: image.epoch }).image
  expect(folded).toEqual(image)
  const builder = new ImageBuilder(MetadataImage.empty(clusterId))
  for (const record of log.slice(0, committedOffset + 1)) builder.replay(record)
  expect(builder.build(committedOffset, committed.epoch).image).toEqual(committed)
  const rebuilt = applyRecords(MetadataImage.empty(clusterId), image.toRecords(), {
    offset: image.offset,
    epoch: image.epoch,
  })
  expect(rebuilt.image).toEqual(image)
  expect(compareImages(image, rebuilt.image).changedTopics.size).toBe(0)
}

describe('the controller, whatever happens', () => {
  it.each([
    { unclean: false, elr: false },
    { unclean: true, elr: false },
    { unclean: false, elr: true },
    { unclean: true, elr: true },
  ])('keeps its invariants ($unclean, eligible leader replicas: $elr)', kind => {
    const { unclean, elr } = kind
    fc.assert(
      fc.property(fc.nat(), fc.array(fc.oneof(...steps), { maxLength: 60 }), (seed, life) => {
        const cluster = new Life(seed, kind)
        const { harness } = cluster
        harness.start(1, 2, 3)
        for (const step of life) {
          const before = harness.image
          const { epoch } = harness
          step(cluster)
          checkPartitions(harness, elr)
          if (epoch !== harness.epoch) continue
          checkProgress(before, harness.image)
          if (!unclean) checkClean(before, harness.image)
        }
        checkFold(harness)
      }),
      { seed: 20_261_122, numRuns: 300 },
    )
  })
})
