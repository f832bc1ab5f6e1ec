/**
 * Lab 24: what does a broker do that joins a cluster which is at work, and what may go wrong while partitions move to it?
 * Setup: 3 brokers, replication factor 3, min.insync.replicas 2, idempotent producers with acks=all, consumers in a group.
 * Fault: a fourth broker joins under load; it freezes while partitions are being moved to it; the moves are cancelled midway; it comes back,
 *   and they are made once more, one of them with the leader.
 * Expect: nothing is lost, doubled or reordered. The new broker has nothing to do until partitions are moved to it; a cancelled move leaves
 *   the partitions where they were.
 * Control: a cluster that grows while nobody moves anything must be caught with an idle broker. And acks=1 must be caught losing records.
 */
import { allChecks } from '#scripts/checkers/check.ts'
import { factCheck } from '#scripts/checkers/facts.ts'
import { lab, quickFailover } from '#scripts/labs/lab.ts'
import type { LabRun, Script } from '#scripts/labs/script.ts'
import { acksOneControl } from '#scripts/labs/scripts.ts'
import { node } from '#scripts/labs/targets.ts'
import { reassign } from '#scripts/workload/reassign.ts'

const partitions = [0, 1, 2]

interface Placement {
  readonly leader: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

function placementOf({ observer, workload }: LabRun, partition: number): Placement {
  const seen = observer.latest?.partitions[`${workload.topic}-${partition}`]
  if (seen === undefined) throw new Error(`nothing was observed of partition ${partition}`)
  return seen
}

/** Each partition with its brokers, in the order of their ids: the preferred leader may be another one after a move that was cancelled. */
function assignment(run: LabRun): string {
  return partitions
    .map(each =>
      placementOf(run, each)
        .replicas.toSorted((a, b) => a - b)
        .join('+'),
    )
    .join(', ')
}

const hosted = (run: LabRun, broker: number): number =>
  partitions.filter(each => placementOf(run, each).replicas.includes(broker)).length

const led = (run: LabRun, broker: number): number =>
  partitions.filter(each => placementOf(run, each).leader === broker).length

/** Every partition has a place for the new broker; the first one gives up its leader for it, the others a follower. */
function targetsFor(run: LabRun, fresh: number): number[][] {
  return partitions.map(partition => {
    const { leader, replicas } = placementOf(run, partition)
    const others = replicas.filter(id => id !== leader)
    return partition === 0 ? [fresh, ...others] : [leader, ...others.slice(0, -1), fresh]
  })
}

async function moveAll(run: LabRun, replicas: (partition: number) => readonly number[] | null): Promise<void> {
  for (const partition of partitions)
    await reassign(run.cluster, { topic: run.workload.topic, partition, replicas: replicas(partition) })
}

const idle = 'replicas on the new broker before anybody moved one'
const atTheEnd = 'replicas on the new broker at the end'
const ledAtTheEnd = 'partitions that the new broker leads at the end'
const before = 'brokers of the partitions before the moves'
const midway = 'brokers of the partitions midway'
const cancelled = 'brokers of the partitions after the moves were cancelled'

/** @returns the id of the new broker */
async function grow(run: LabRun): Promise<number> {
  run.step('healthy')
  await run.acknowledged(60)
  run.step('a fourth broker joins')
  const [fresh = -1] = await run.grow()
  await run.acknowledged(60)
  run.fact(idle, hosted(run, fresh))
  return fresh
}

const growAndMove: Script = async run => {
  const fresh = await grow(run)
  run.fact(before, assignment(run))
  const targets = targetsFor(run, fresh)
  run.step('the new broker freezes, and partitions begin to move to it')
  await run.pause(node(fresh))
  await moveAll(run, partition => targets[partition] ?? null)
  for (const partition of partitions)
    await run.until('it is to be a replica', partition, ({ replicas }) => replicas.includes(fresh))
  await run.acknowledged(40)
  run.fact(midway, assignment(run))
  run.step('the moves are cancelled')
  await moveAll(run, () => null)
  for (const partition of partitions)
    await run.until('it is no replica any more', partition, ({ replicas }) => !replicas.includes(fresh))
  run.fact(cancelled, assignment(run))
  await run.resume(node(fresh))
  await run.ready()
  await run.acknowledged(40)
  run.step('the partitions move once more')
  const again = targetsFor(run, fresh)
  await moveAll(run, partition => again[partition] ?? null)
  for (const partition of partitions) {
    const wanted = again[partition] ?? []
    await run.until(
      'it has moved',
      partition,
      ({ leader, replicas, isr }) =>
        wanted.length === replicas.length &&
        wanted.length === isr.length &&
        wanted.every(id => isr.includes(id)) &&
        wanted.includes(leader),
    )
  }
  await run.acknowledged(60)
  run.fact(atTheEnd, hosted(run, fresh))
  run.fact(ledAtTheEnd, led(run, fresh))
}

const growOnly: Script = async run => {
  const fresh = await grow(run)
  run.step('nobody moves anything')
  await run.acknowledged(120)
  run.fact(atTheEnd, hosted(run, fresh))
  run.fact(ledAtTheEnd, led(run, fresh))
}

const takesItsShare = factCheck({
  name: 'new-broker-takes-its-share',
  promise: 'In the end the new broker has a replica of each partition, and leads one.',
  about: [atTheEnd, ledAtTheEnd],
  broken: facts =>
    facts[atTheEnd] === partitions.length && Number(facts[ledAtTheEnd]) > 0
      ? undefined
      : `The new broker has ${facts[atTheEnd]} replicas of ${partitions.length} partitions, and leads ${facts[ledAtTheEnd]}.`,
})

export default lab({
  name: '24-reassignment',
  difficulty: 2,
  lesson:
    'Each partition has a list of brokers that hold its replicas. It is metadata: the controller fills it in when the topic is created, and an operator can ask for another one (AlterPartitionReassignments, kafka-reassign-partitions). A move is done by adding first and removing last: the new replicas are added to the list, copy the log from the leader like any follower, join the in-sync set, and only then do the old ones leave. Until then the move can be taken back. With acks=all a record is acknowledged when every replica in sync has it; those that are still copying are not in sync, so nobody waits for them.',
  exercises: [
    'Read the topic while it moves: which brokers does kafka-topics --describe show for partition 0 midway, and in which order?',
    'After the cancelled move the lists have the same brokers as before. Have they the same preferred leader? Look at the order.',
    'Let the cluster grow with ./faultline grow, create a topic, and find out whether the new broker has replicas of it.',
    'Kill the new broker instead of freezing it, and do not cancel: does the move end when it is started again?',
  ],
  summary:
    'A broker joins under load and gets partitions; the move is cancelled midway and made again; nothing is lost.',
  question:
    'A cluster of three brokers cannot keep up any more. A fourth one joins, and the cluster is left alone for an hour. What does the new broker do for the topics that were there before?',
  prediction: {
    choices: [
      'It takes a fair share of their partitions by itself',
      'It copies all partitions, and leads those of the busiest broker',
      'Nothing, until somebody moves partitions to it',
      'It gets the partitions that are created or elected from now on, also those of old topics',
    ],
    answer: 2,
  },
  topology: { brokers: 3, controllers: 0, settings: quickFailover },
  needs: ['grow', 'kill', 'pause', 'restart'],
  variants: [
    {
      name: 'main',
      summary: 'a fourth broker joins, freezes while partitions move to it, the moves are cancelled and made again',
      role: 'main',
      workload: {},
      script: growAndMove,
      checks: [
        ...allChecks,
        factCheck({
          name: 'new-broker-is-idle-until-then',
          promise: 'Before anybody moved a partition the new broker had no replica.',
          about: [idle],
          broken: facts => (facts[idle] === 0 ? undefined : `It had ${facts[idle]} replicas already.`),
        }),
        factCheck({
          name: 'cancelled-move-changes-nothing',
          promise:
            'Midway the new broker was a replica of each partition; the cancelled moves left the brokers of before.',
          about: [before, midway, cancelled],
          broken: facts =>
            facts[cancelled] === facts[before] && facts[midway] !== facts[before]
              ? undefined
              : `Before: ${facts[before]}; midway: ${facts[midway]}; after the moves were cancelled: ${facts[cancelled]}.`,
        }),
        takesItsShare,
      ],
      expect: 'valid',
    },
    {
      name: 'nobody-moves',
      summary: 'one more broker joins, and no partition is moved to it',
      role: 'control',
      workload: {},
      script: growOnly,
      checks: [...allChecks, takesItsShare],
      expect: ['new-broker-takes-its-share'],
    },
    acksOneControl('acks=1: the leader dies with records that its followers have not fetched'),
  ],
  watch: [
    'The lists of replicas: midway a partition has four of them, and three in sync. The fourth counts for nothing yet, neither for acks=all nor for elections.',
    'Gaps between acknowledgements: a frozen broker that is only being added holds up no writer.',
    'The leader of partition 0 changes once, at the end of its move, with a new leader epoch; clients find the new broker through their metadata.',
    'In the control: the new broker is alive and unfenced, and its log ends nowhere.',
  ],
  explanation:
    'Kafka does not balance by itself. The controller places replicas when a partition is created; a broker that joins later is a candidate for partitions to come, and has nothing to do with those that are there until somebody moves them (Cruise Control and its like do that, from outside). A move (KIP-455) is metadata as well: the controller writes the replicas to be added and to be removed into the record of the partition, the added ones copy from the leader, and when all of them are in sync the controller takes the others out of the list. If the leader is among those, an in-sync replica of the new list is elected, so that nothing that was acknowledged is missing there. Since the old replicas stay in the in-sync set all the time, a move that gets stuck costs space and traffic and no durability, and can be cancelled: the added replicas are dropped, whatever they have copied. What it does not protect from is what acks=1 never did.',
  reading: [
    'KIP-455, an API for the reassignment of replicas: https://cwiki.apache.org/confluence/display/KAFKA/KIP-455',
    'Kafka documentation, "Expanding your cluster": https://kafka.apache.org/documentation/#basic_ops_cluster_expansion',
    'KIP-73, throttles for replication: https://cwiki.apache.org/confluence/display/KAFKA/KIP-73',
  ],
})
