/**
 * Lab 22: what does a consumer see that reads from the nearest replica instead of the leader?
 * Setup: 3 brokers in 3 racks, replication factor 3, min.insync.replicas 2, replica.selector.class=RackAwareReplicaSelector. The reader says
 *   in which rack it is, and is played by the script, so that who answered what is certain.
 * Fault: the follower in the reader's rack is cut off from the other nodes; clients still reach it.
 * Expect: the leader names the follower of the reader's rack while that is in sync, and stops to when it is not; a follower hands out nothing
 *   above the high watermark that it knows; a reader that falls back to the leader misses nothing.
 * Control: a reader that sticks to the follower must be caught not seeing what was acknowledged meanwhile.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import { everyNode } from '#scripts/labs/targets.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'

const racks = ['a', 'b', 'c']
const rackOf = (broker: number): string => racks[broker - 1] as string
const many = 20

async function write(workload: HandWorkload, count: number): Promise<void> {
  for (let index = 0; index < count; index++)
    await workload.write({ partition: 0, records: [{ value: `record-${index}` }] })
}

function readingNearby(fallsBack: boolean): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts => new HandWorkload(parts, { replicationFactor: 3, settings: { 'min.insync.replicas': '2' } }),
    async (run, workload) => {
      run.step('records are written')
      await write(workload, many)
      const { leader } = await workload.leader(0)
      const replicas = workload.links.brokers
      const controller = run.observer.latest?.controller
      const near = replicas
        .filter(id => id !== leader)
        .sort((a, b) => Number(a === controller) - Number(b === controller))[0] as number
      const rack = rackOf(near)
      run.step(`a reader in rack ${rack} asks the leader`)
      const hint = await workload.until(
        'the leader names the follower of that rack',
        () => workload.fetchFrom(leader, { partition: 0, offset: 0, rack }),
        ({ preferredReadReplica }) => preferredReadReplica === near,
      )
      run.fact('records that came with the name of the follower', hint.records.length)
      run.step('it reads from the follower')
      // A follower hears of the high watermark with the fetch after the one that raised it.
      const read = await workload.until(
        'the follower hands out everything',
        () => workload.fetchFrom(near, { partition: 0, offset: 0, rack }),
        ({ records }) => records.length === many,
      )
      run.fact('records from the follower', read.records.length)
      run.step('the follower is cut off from the other nodes')
      await run.partition({ name: 'the follower', pick: () => [near] }, everyNode)
      await run.until('it has left the in-sync set', 0, ({ isr }) => !isr.includes(near))
      await write(workload, many)
      const stale = await workload.fetchFrom(near, { partition: 0, offset: many, rack })
      run.fact('error of the follower that is cut off', stale.errorCode)
      run.fact('high watermark as the follower knows it', stale.highWatermark)
      run.fact(
        'records above it from the follower',
        stale.records.filter(({ offset }) => offset >= stale.highWatermark).length,
      )
      let seen = many + stale.records.length
      if (fallsBack) {
        run.step('the reader asks the leader again')
        const current = (await workload.leader(0)).leader
        const answer = await workload.fetchFrom(current, { partition: 0, offset: seen, rack })
        run.fact('follower that the leader names now', answer.preferredReadReplica)
        seen += answer.records.length
      }
      run.fact('records acknowledged', 2 * many)
      run.fact('records seen by the reader', seen)
    },
  )
}

const seesAll = factCheck({
  name: 'reader-sees-what-was-acknowledged',
  promise: 'The reader has seen every record that was acknowledged.',
  about: ['records acknowledged', 'records seen by the reader'],
  broken: facts =>
    facts['records seen by the reader'] === facts['records acknowledged']
      ? undefined
      : `${facts['records acknowledged']} records were acknowledged, the reader has seen ${facts['records seen by the reader']}; it got no error.`,
})

const notBeyond = factCheck({
  name: 'never-beyond-the-high-watermark',
  promise: 'The follower handed out nothing above the high watermark that it knew.',
  about: ['records from the follower', 'high watermark as the follower knows it', 'records above it from the follower'],
  broken: facts =>
    facts['records above it from the follower'] === 0 && facts['high watermark as the follower knows it'] === many
      ? undefined
      : `Its high watermark is ${facts['high watermark as the follower knows it']}, and ${facts['records above it from the follower']} records were above it.`,
})

export default lab({
  name: '22-follower-fetch',
  difficulty: 2,
  lesson:
    'Usually consumers read from the leader of a partition, wherever it is. In a cluster over several data centres that costs money, so a consumer can say in which rack it is (client.rack), and a leader with a replica selector can send it to a replica there (KIP-392). A follower knows what it has fetched, and the high watermark as the leader told it with the last answer. The leader knows how far each follower is, and which are in sync.',
  exercises: [
    'Leave replica.selector.class away. What does the leader answer to a reader that names its rack?',
    'How much later than at the leader does a record come at the follower? Which settings decide that?',
    'Freeze the follower instead of cutting it off. What is different for the reader?',
    'Look at what your client does when it has been sent to a follower: how often does it ask the leader again?',
  ],
  summary: 'Read from the follower in the own rack, cut it off: who falls back to the leader misses nothing.',
  question:
    'A consumer reads from a follower in its own rack. The follower is cut off from the other brokers, but not from the consumer. What does the consumer get from it?',
  prediction: {
    choices: [
      'An error as soon as the follower has lost the leader',
      'New records all the same, since the follower forwards to the leader',
      'No error and nothing new: all that the follower has up to the high watermark it heard of last',
      'What the follower had fetched, above the high watermark as well',
    ],
    answer: 2,
  },
  topology: {
    brokers: 3,
    controllers: 0,
    settings: {
      ...quickFailover,
      'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
    },
    nodes: Object.fromEntries(racks.map((rack, index) => [String(index + 1), { rack }])),
  },
  needs: ['partition'],
  variants: [
    {
      name: 'main',
      summary: 'the reader asks the leader again when the follower has nothing new',
      role: 'main',
      ...readingNearby(true),
      checks: [
        seesAll,
        notBeyond,
        factCheck({
          name: 'only-replicas-in-sync-are-named',
          promise:
            'The leader named the follower of the rack, without records, while it was in sync, and nobody afterwards.',
          about: ['records that came with the name of the follower', 'follower that the leader names now'],
          broken: facts =>
            facts['records that came with the name of the follower'] === 0 &&
            facts['follower that the leader names now'] === -1
              ? undefined
              : `With the name came ${facts['records that came with the name of the follower']} records; now the leader names ${facts['follower that the leader names now']}.`,
        }),
      ],
      expect: 'valid',
    },
    {
      name: 'sticks',
      summary: 'the reader stays with the follower',
      role: 'control',
      ...readingNearby(false),
      checks: [seesAll, notBeyond],
      expect: ['reader-sees-what-was-acknowledged'],
      mustHold: [notBeyond.name],
    },
  ],
  watch: [
    'The fact "high watermark as the follower knows it": it stands still at 20 while 20 more records are acknowledged by the two others.',
    'The in-sync set: the follower leaves it, so the high watermark goes on without it, and its own copy of it does not.',
    'Turn the knob: leave replica.selector.class away. The leader then names nobody, and the script waits for that in vain: the rack of a client alone does nothing.',
  ],
  explanation:
    'Since 2.4 (KIP-392) a consumer may tell its rack (client.rack), and the leader, if it has a replica selector, answers with the id of a replica to read from instead of with records. A follower serves what it has up to the high watermark that it knows, which it hears of with its next fetch: readers of followers see records a little later than readers of the leader, never records that could still be cut off. It cannot know that it is cut off; what protects readers is that a client goes back to the leader from time to time (Java: after metadata.max.age.ms, five minutes by default) and when the follower fails, and that the leader names only replicas that are in sync. Until then the reader of such a follower sees an old log, without any error.',
  reading: [
    'KIP-392, fetching from the closest replica: https://cwiki.apache.org/confluence/display/KAFKA/KIP-392',
    'Kafka documentation, replica.selector.class: https://kafka.apache.org/documentation/#brokerconfigs_replica.selector.class',
    'Kafka documentation, client.rack: https://kafka.apache.org/documentation/#consumerconfigs_client.rack',
  ],
})
