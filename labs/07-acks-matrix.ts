/**
 * Lab 07: which combination of acks, min.insync.replicas and election keeps acknowledged records when the leader dies?
 * Setup: 3 brokers and a controller of its own, replication factor 3, one partition.
 * Fault: the followers freeze, the leader goes on alone and is killed, the followers come back. "Quickly": before the in-sync set has
 *   shrunk, so a follower is elected cleanly. "Alone": after it has shrunk to the leader, with unclean election allowed.
 * Expect: acks=all keeps everything in a clean election; if unclean election is allowed, only min.insync.replicas=2 keeps everything.
 * Control: acks=0, acks=1, and acks=all with min.insync.replicas=1 under unclean election must be caught losing records.
 */
import { allChecks } from '#scripts/checkers/check.ts'
import { lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import type { Script } from '#scripts/labs/script.ts'
import { loseTheUnreplicated } from '#scripts/labs/scripts.ts'
import { followersOf, leaderOf, node } from '#scripts/labs/targets.ts'

const leaderAlone: Script = async run => {
  run.step('healthy')
  await run.acknowledged(60)
  run.step('the followers freeze until the leader alone is in sync')
  const followers = await run.pause(followersOf(0))
  await run.until('only the leader is in sync', 0, partition => partition.isr.length === 1)
  await run.sleep(1_500)
  run.step('the leader dies, the followers come back')
  const [leader] = await run.kill(leaderOf(0))
  await run.resume(node(...followers))
  await run.until('a follower leads', 0, partition => partition.leader >= 0 && partition.leader !== leader)
  await run.acknowledged(30)
}

type Acks = 0 | 1 | -1

function cell(acks: Acks, minInsync: 1 | 2, death: 'quickly' | 'alone', outcome: 'keeps' | 'loses'): Variant {
  const acksName = acks === -1 ? 'all' : String(acks)
  const unclean = death === 'alone'
  return {
    name: `acks-${acksName}-min-${minInsync}${unclean ? '-unclean' : ''}`,
    summary: `acks=${acksName}, min.insync.replicas=${minInsync}, ${unclean ? 'the last in-sync replica dies and unclean election is allowed' : 'the leader dies before its followers have fetched'}`,
    role: outcome === 'keeps' ? 'main' : 'control',
    workload: {
      acks,
      // After an unclean election the new leader refuses the sequence numbers of the old one; this cell is about the records.
      idempotent: acks === -1 && outcome === 'keeps',
      partitions: 1,
      settings: {
        'min.insync.replicas': String(minInsync),
        ...(unclean ? { 'unclean.leader.election.enable': 'true' } : {}),
      },
    },
    script: unclean ? leaderAlone : loseTheUnreplicated,
    checks: allChecks,
    expect: outcome === 'keeps' ? 'valid' : ['lost-write', 'unseen', 'vanished'],
  }
}

export default lab({
  name: '07-acks-matrix',
  summary: 'acks × min.insync.replicas × the way the leader dies: which cells lose acknowledged records?',
  question:
    'A leader is killed while its followers lag. Which setting keeps every acknowledged record even if unclean election is allowed?',
  prediction: {
    choices: [
      'acks=1 with min.insync.replicas=2',
      'acks=all with min.insync.replicas=1',
      'acks=all with min.insync.replicas=2',
      'None: unclean election always may lose',
    ],
    answer: 2,
  },
  topology: { brokers: 3, controllers: 1, settings: quickFailover },
  needs: ['kill', 'pause', 'restart'],
  variants: [
    cell(-1, 2, 'quickly', 'keeps'),
    cell(-1, 1, 'quickly', 'keeps'),
    cell(1, 2, 'quickly', 'loses'),
    cell(1, 1, 'quickly', 'loses'),
    cell(0, 2, 'quickly', 'loses'),
    cell(-1, 2, 'alone', 'keeps'),
    cell(-1, 1, 'alone', 'loses'),
  ],
  watch: [
    'acks=1 with min.insync.replicas=2 loses just as acks=1 with 1: the setting is only looked at for acks=all.',
    'acks=all, min.insync.replicas=2 with the leader alone: writes fail with NOT_ENOUGH_REPLICAS, so there is nothing to lose.',
    'acks=all, min.insync.replicas=1: the leader alone is "all", and acknowledges.',
  ],
  explanation:
    'acks says when the leader answers: at once (0), when it has the record (1), or when every in-sync replica has it (all). min.insync.replicas says how small "every in-sync replica" may become before acks=all is refused; it means nothing for acks=0 and 1. A clean election picks a replica that was in sync, so it has everything that acks=all ever acknowledged. If the in-sync set has shrunk to the leader and the leader dies, there is nobody to elect cleanly: either the partition waits for it, or an unclean election takes a replica that lacks records. Only records that two replicas had to have before they were acknowledged survive that here. It is no absolute promise: the replica that is elected must be one of the two.',
  reading: [
    'Kafka documentation, producer setting acks: https://kafka.apache.org/documentation/#producerconfigs_acks',
    'Kafka documentation, topic setting min.insync.replicas: https://kafka.apache.org/documentation/#topicconfigs_min.insync.replicas',
    'Kafka documentation, "Unclean leader election": https://kafka.apache.org/documentation/#design_uncleanleader',
  ],
})
