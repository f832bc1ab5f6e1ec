/**
 * Lab 00: does an acknowledged record survive whatever happens to the brokers?
 * Setup: 3 brokers, replication factor 3, min.insync.replicas 2, idempotent producers with acks=all, consumers in a group.
 * Fault: kill -9 of a leader, of the active controller, of a follower, of all brokers at once; then a rolling restart.
 * Expect: no acknowledged record lost, duplicated or out of order, on every engine.
 * Control: with acks=1, and with unclean leader election, the same checks must find lost records.
 */
import { allChecks } from '#scripts/checkers/check.ts'
import { lab, quickFailover } from '#scripts/labs/lab.ts'
import type { Script } from '#scripts/labs/script.ts'
import { acksOneControl, heldInLosses } from '#scripts/labs/scripts.ts'
import { activeController, everyBroker, everyNode, followerOf, leaderOf, node } from '#scripts/labs/targets.ts'

const breakEverything: Script = async run => {
  run.step('healthy')
  await run.acknowledged(100)
  run.step('kill -9 the leader of partition 0')
  await run.start(node(...(await survive(run, leaderOf(0)))))
  await run.ready()
  run.step('kill -9 the active controller')
  await run.start(node(...(await survive(run, activeController))))
  await run.ready()
  run.step('kill -9 a follower')
  await run.start(node(...(await survive(run, followerOf(0)))))
  await run.ready()
  run.step('kill -9 all brokers at once')
  await run.kill(everyNode)
  await run.start(everyNode)
  await run.acknowledged(60)
  run.step('rolling restart')
  await run.ready()
  await run.rollingRestart(everyBroker)
  await run.acknowledged(60)
}

/** Kills a node and waits until writers have got on without it. */
async function survive(run: Parameters<Script>[0], target: Parameters<typeof run.kill>[0]): Promise<readonly number[]> {
  const victims = await run.kill(target)
  await run.acknowledged(80)
  return victims
}

/** ISR shrinks to the leader, which goes on alone; it dies, and the operator has allowed a replica that lags to lead. */
const electUncleanly: Script = async run => {
  run.step('healthy')
  await run.acknowledged(60)
  run.step('the follower dies, the leader goes on alone')
  const follower = await run.kill(followerOf(0))
  await run.until('only the leader is in sync', 0, partition => partition.isr.length === 1)
  await run.acknowledged(60)
  run.step('the leader dies, the follower that lags comes back')
  const [leader] = await run.kill(leaderOf(0))
  await run.start(node(...follower))
  await run.until('the follower leads', 0, partition => partition.leader >= 0 && partition.leader !== leader)
  await run.acknowledged(30)
}

export default lab({
  name: '00-durability',
  difficulty: 1,
  lesson:
    'A topic has partitions, and each partition has replicas on several brokers. One of them leads: clients write to it and read from it, the others fetch from it. The replicas that keep up are the in-sync set; the controller knows it, and picks the next leader from it when a broker is gone. The producer says with acks when a record counts as written: when the leader has it (1), or when every replica in the in-sync set has it (all). min.insync.replicas says how small that set may become before acks=all is refused. A producer that is idempotent numbers its batches, so that a retry can be recognised. kill -9 ends a process at once and lets it say goodbye to nobody; what it has written to files is still in the memory of the operating system, on the way to the disk.',
  exercises: [
    'Kill two of three brokers and leave them away: what do writers get, and is anything lost when they are back?',
    'Set min.insync.replicas to 1 in the variant main. Is a record lost in this run? Could one be, and in which order would brokers have to die?',
    'Look at the gaps between acknowledgements in the report. Which kill costs most, and which settings of the topology decide how much?',
    'Replace the kills by an orderly stop (run.stop). What is different in the lanes of the leaders?',
  ],
  summary:
    'Kill leader, controller, follower, everything at once: no acknowledged record may be lost, doubled or reordered.',
  question:
    'Three brokers, replication factor 3, min.insync.replicas=2, acks=all. Brokers are killed one by one, then all at once. How many acknowledged records are lost?',
  prediction: {
    choices: [
      'None',
      'Those acknowledged in the last moments before the kill of a leader',
      'Those that were not yet flushed to disk when all brokers were killed',
      'None, but some are there twice',
    ],
    answer: 0,
  },
  topology: { brokers: 3, controllers: 0, settings: quickFailover },
  needs: ['kill', 'pause', 'restart'],
  variants: [
    {
      name: 'main',
      summary: 'acks=all, min.insync.replicas=2, idempotent; kill -9 of each role, of all at once, rolling restart',
      role: 'main',
      workload: {},
      script: breakEverything,
      checks: allChecks,
      expect: 'valid',
    },
    acksOneControl('acks=1: the leader dies with records that its followers have not fetched'),
    {
      name: 'unclean-election',
      summary:
        'acks=all, but min.insync.replicas=1 and unclean.leader.election.enable=true: a replica that lags may lead',
      role: 'control',
      workload: {
        idempotent: false,
        partitions: 1,
        replicationFactor: 2,
        settings: { 'min.insync.replicas': '1', 'unclean.leader.election.enable': 'true' },
      },
      script: electUncleanly,
      checks: allChecks,
      expect: ['lost-write', 'unseen', 'vanished'],
      mustHold: heldInLosses,
    },
  ],
  watch: [
    'The longest gap between acknowledgements: a killed leader is noticed only when its session with the controller ends.',
    'Leader epochs: every change of leader has a new colour and a higher number.',
    'The in-sync set shrinks when a broker dies and grows again when it has caught up.',
    'In the control: the log end offset of the new leader is below what had been acknowledged.',
  ],
  explanation:
    'With acks=all a record is acknowledged when every in-sync replica has it, and min.insync.replicas=2 refuses writes when that is fewer than two. Only an in-sync replica may become leader, so whoever leads next has every acknowledged record. kill -9 ends the process, not the machine: what was written sits in the page cache and is there after the restart, which is why even the kill of all brokers at once loses nothing (a power failure of all of them would). With acks=1 the leader alone decides, and what it had not passed on dies with it. An unclean election lets a replica lead that is known to lack records: availability is bought with loss.',
  reading: [
    'Kafka documentation, "Replication": https://kafka.apache.org/documentation/#replication',
    'KIP-101, leader epochs: https://cwiki.apache.org/confluence/display/KAFKA/KIP-101',
    'KIP-966, eligible leader replicas: https://cwiki.apache.org/confluence/display/KAFKA/KIP-966',
    'Jepsen, Kafka 0.8 (2013): https://aphyr.com/posts/293-jepsen-kafka',
  ],
})
