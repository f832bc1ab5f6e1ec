/**
 * Lab 08: what do readers notice when a replica that lacks records becomes leader?
 * Setup: 2 brokers and a controller of its own, replication factor 2, min.insync.replicas 1, acks=all.
 * Fault: the follower dies, the leader goes on alone and dies too, the follower comes back.
 * Expect: without unclean election nobody leads until the other one is back, and nothing is lost. With it, a reader that asks where its leader
 *   epoch ends (KIP-320) is told from where on the log is another one.
 * Control: with unclean election acknowledged records must be caught as lost, and a reader that only counts offsets must be caught passing
 *   over the records that took their place.
 */
import { allChecks } from '#scripts/checkers/check.ts'
import { factCheck } from '#scripts/checkers/facts.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun, Script } from '#scripts/labs/script.ts'
import { heldInLosses } from '#scripts/labs/scripts.ts'
import { followerOf, leaderOf, node } from '#scripts/labs/targets.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'

/** The follower dies, `meanwhile` happens on the leader alone, that dies too, and the follower is back. @returns who led */
async function comeBackAlone(run: LabRun, meanwhile: () => Promise<void>): Promise<number> {
  run.step('the follower dies, the leader goes on alone')
  const [follower] = await run.kill(followerOf(0))
  await run.until('only the leader is in sync', 0, ({ isr }) => isr.length === 1)
  await meanwhile()
  run.step('the leader dies, the follower that lags comes back')
  const [leader] = await run.kill(leaderOf(0))
  await run.start(node(follower as number))
  return leader as number
}

const nobodyLeads: Script = async run => {
  run.step('healthy')
  await run.acknowledged(60)
  const leader = await comeBackAlone(run, () => run.acknowledged(60))
  await run.until(
    'the follower is back, and nobody leads',
    0,
    (partition, { brokers }) => partition.leader < 0 && brokers.some(id => id !== leader),
  )
  run.step('the last leader comes back')
  await run.start(node(leader))
  await run.until('it leads again', 0, partition => partition.leader === leader)
  await run.acknowledged(30)
}

const anyoneLeads: Script = async run => {
  run.step('healthy')
  await run.acknowledged(60)
  const leader = await comeBackAlone(run, () => run.acknowledged(60))
  await run.until('the follower leads', 0, partition => partition.leader >= 0 && partition.leader !== leader)
  await run.acknowledged(30)
}

const unclean = { 'min.insync.replicas': '1', 'unclean.leader.election.enable': 'true' }
const replicated = 10
const onLeaderOnly = 5
const afterwards = 8
const fencedLeaderEpoch = 74

async function write(workload: HandWorkload, name: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++)
    await workload.write({ partition: 0, records: [{ value: `${name}-${index}` }] })
}

/** A reader has read to the end; then the log is cut behind its back and grows beyond where it stands. */
function reading(asksForEpoch: boolean): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts => new HandWorkload(parts, { replicationFactor: 2, settings: unclean }),
    async (run, workload) => {
      run.step('healthy')
      await write(workload, 'replicated', replicated)
      const old = await comeBackAlone(run, async () => {
        await write(workload, 'lost', onLeaderOnly)
      })
      // What a reader had before the leader died: its position, and the epoch of the last record that it read.
      const position = replicated + onLeaderOnly
      const { leader, leaderEpoch } = await workload.until(
        'the follower leads',
        () => workload.leader(0),
        now => now.leader >= 0 && now.leader !== old,
      )
      run.step('the new leader writes over the offsets of the records that are gone')
      await write(workload, 'after', afterwards)
      const log = await workload.read(0, 0)
      run.fact(
        'records that are new to the reader',
        log.filter(({ value }) => value?.startsWith('after') === true).length,
      )
      const oldEpoch = log.find(({ value }) => value === `replicated-${replicated - 1}`)?.leaderEpoch ?? -1
      run.step('the reader goes on')
      const believed = await workload.fetchFrom(leader, {
        partition: 0,
        offset: position,
        leaderEpoch: leaderEpoch - 1,
      })
      run.fact('error of a read in the old epoch', believed.errorCode)
      let next = position
      if (asksForEpoch) {
        const end = await workload.epochEnd(0, oldEpoch)
        run.fact('where the epoch of the reader ends', end.endOffset)
        next = Math.min(next, end.endOffset)
      }
      const read = (await workload.read(0, next)).filter(({ value }) => value?.startsWith('after') === true)
      run.fact('of them seen by the reader', read.length)
    },
  )
}

const seesWhatIsThere = factCheck({
  name: 'reader-sees-what-is-there',
  promise: 'The reader has seen every record that the new leader wrote.',
  about: ['records that are new to the reader', 'of them seen by the reader'],
  broken: facts =>
    facts['of them seen by the reader'] === facts['records that are new to the reader']
      ? undefined
      : `Of ${facts['records that are new to the reader']} records that were written after the election the reader has seen ${facts['of them seen by the reader']}: the others lie below its position, where it had read records that are gone.`,
})

const fenced = factCheck({
  name: 'old-epoch-is-refused',
  promise:
    'A read that names the old leader epoch was refused with FENCED_LEADER_EPOCH, so the reader learns that there was an election.',
  about: ['error of a read in the old epoch'],
  broken: ({ 'error of a read in the old epoch': code }) =>
    code === fencedLeaderEpoch ? undefined : `It was answered with error ${code}.`,
})

export default lab({
  name: '08-unclean-election',
  difficulty: 2,
  lesson:
    'When the leader of a partition is gone, the controller elects another one from the in-sync set. When the last replica of that set is gone there are two possibilities, and the topic says which one it wants (unclean.leader.election.enable). Every election gives the partition a higher leader epoch, and every batch carries the epoch of the leader that wrote it. A client can send the epoch it knows with its requests, and can ask a leader where an epoch ends in its log (OffsetsForLeaderEpoch). A client that knows nothing of epochs has only its offset.',
  exercises: [
    'Write 3 records instead of 8 after the election. What does the reader without epochs notice now?',
    'Which of your clients know KIP-320? A packet trace shows what they send in Fetch (current leader epoch).',
    'Start an unclean election by hand for one partition (kafka-leader-election --election-type unclean). When would you?',
    'Run it on Apache Kafka 4.3.1 with min.insync.replicas=2 and three replicas. Who may lead there, and why (lab 27)?',
  ],
  summary: 'Let a replica lead that lacks records: they are lost, and only the leader epoch tells a reader.',
  question:
    'The last in-sync replica of a partition dies, and a replica that lacks records is there. What happens by default, and what if unclean.leader.election.enable=true?',
  prediction: {
    choices: [
      'By default the replica leads and the missing records are fetched when the other one is back; the setting has no effect on that',
      'By default nobody leads until the last in-sync replica is back; with the setting the replica leads, and acknowledged records are gone for good',
      'By default the partition is read-only; with the setting it can be written to as well',
      'By default nobody leads; with the setting the replica leads, and when the other one is back the two logs are merged by offset',
    ],
    answer: 1,
  },
  topology: { brokers: 2, controllers: 1, settings: quickFailover },
  needs: ['kill', 'restart'],
  variants: [
    {
      name: 'main',
      summary: 'unclean.leader.election.enable=false, the default: nobody leads until the last in-sync replica is back',
      role: 'main',
      workload: { partitions: 1, replicationFactor: 2, settings: { 'min.insync.replicas': '1' } },
      script: nobodyLeads,
      checks: allChecks,
      expect: 'valid',
    },
    {
      name: 'reader-with-epochs',
      summary: 'unclean election; the reader asks where the epoch of its last record ends',
      role: 'main',
      ...reading(true),
      checks: [
        seesWhatIsThere,
        fenced,
        factCheck({
          name: 'truncation-is-told',
          promise: 'The new leader said that the epoch of the reader ends where the records are missing.',
          about: ['where the epoch of the reader ends'],
          broken: ({ 'where the epoch of the reader ends': end }) =>
            end === replicated ? undefined : `It said ${end}, and the records are missing from ${replicated} on.`,
        }),
      ],
      expect: 'valid',
    },
    {
      name: 'unclean',
      summary: 'unclean.leader.election.enable=true: the replica that lags leads',
      role: 'control',
      workload: { idempotent: false, partitions: 1, replicationFactor: 2, settings: unclean },
      script: anyoneLeads,
      checks: allChecks,
      expect: ['lost-write', 'unseen', 'vanished'],
      mustHold: heldInLosses,
    },
    {
      name: 'reader-without-epochs',
      summary: 'unclean election; the reader goes on at its offset',
      role: 'control',
      ...reading(false),
      checks: [seesWhatIsThere, fenced],
      expect: ['reader-sees-what-is-there'],
      mustHold: ['old-epoch-is-refused'],
    },
  ],
  watch: [
    'The leader is -1 in the variant main, for as long as the last in-sync replica is away: availability is given up, records are not.',
    'The fact "where the epoch of the reader ends": 10, although the reader stands at 15. That difference is what was truncated.',
    'Turn the knob: write 3 records instead of 8 after the election. The position of the reader is then behind the end of the log, and even the reader without epochs is told: OFFSET_OUT_OF_RANGE. Whether it notices depends on how much was written meanwhile.',
  ],
  explanation:
    'Only a replica in the in-sync set has everything that was acknowledged with acks=all. If the last one dies, the controller has a choice between waiting and losing. By default it waits (unclean.leader.election.enable=false since 0.11, KIP-106). If unclean election is allowed, the replica leads with the log it has; what it lacks is gone, also on the old leader, which cuts its log when it comes back. Offsets are given out again, to other records. A reader that stands behind the cut cannot tell from its offset: once the new log has grown beyond its position it goes on in the middle of it. So every batch carries the epoch of its leader, and a leader tells for each epoch where it ends in its log (OffsetsForLeaderEpoch). A client that knows KIP-320 (Java, since 2.3) sends the epoch with its reads, is refused with FENCED_LEADER_EPOCH after an election, asks where the epoch of its last record ends, and finds out that its position lies behind. kafkajs does not ask. Eligible leader replicas (KIP-966, on in new clusters since 4.1) help where min.insync.replicas is above 1: replicas that left the in-sync set with a complete log may still be elected cleanly. With 1, as here, there is nobody else.',
  reading: [
    'KIP-320, detecting log truncation: https://cwiki.apache.org/confluence/display/KAFKA/KIP-320',
    'KIP-106, unclean election off by default: https://cwiki.apache.org/confluence/display/KAFKA/KIP-106',
    'KIP-966, eligible leader replicas: https://cwiki.apache.org/confluence/display/KAFKA/KIP-966',
    'Kafka documentation, "Unclean leader election": https://kafka.apache.org/documentation/#design_uncleanleader',
  ],
})
