/**
 * Lab 01: is a record on a single replica safe when its broker is killed?
 * Setup: 1 broker, replication factor 1, acks=all (which is acks=1 here), idempotent producers.
 * Fault: kill -9 and restart, three times.
 * Expect: nothing acknowledged is lost, and every offset holds what it held before.
 * Control: with acks=0 the client calls a record written as soon as it has left; records that a frozen broker never read are lost.
 */
import { allChecks, type CheckName } from '#scripts/checkers/check.ts'
import { lab, quickFailover } from '#scripts/labs/lab.ts'
import type { Script } from '#scripts/labs/script.ts'
import { heldInLosses } from '#scripts/labs/scripts.ts'
import { everyNode } from '#scripts/labs/targets.ts'

const killThrice: Script = async run => {
  for (const round of ['first', 'second', 'third']) {
    run.step(`${round} kill -9`)
    await run.acknowledged(80)
    await run.kill(everyNode)
    await run.start(everyNode)
    await run.ready()
  }
  await run.acknowledged(60)
}

const killFrozen: Script = async run => {
  run.step('healthy')
  await run.acknowledged(60)
  run.step('the broker freezes, the client notices nothing')
  await run.pause(everyNode)
  await run.acknowledged(20)
  run.step('kill -9 before it has read them')
  await run.kill(everyNode)
  await run.start(everyNode)
  await run.ready()
  await run.acknowledged(30)
}

const cutThePower: Script = async run => {
  run.step('healthy')
  await run.acknowledged(100)
  run.step('power failure')
  await run.powerFailure(everyNode)
  await run.start(everyNode)
  await run.ready()
  await run.acknowledged(30)
}

const single = { partitions: 2, replicationFactor: 1, settings: { 'min.insync.replicas': '1' } }
/** With one replica there is nothing to compare. */
const onOneReplica = (name: CheckName) => name !== 'replica-divergence'
const checks = allChecks.filter(onOneReplica)
const mustHold = heldInLosses.filter(onOneReplica)

export default lab({
  name: '01-log',
  difficulty: 1,
  lesson:
    'A partition is a log: an append-only file (cut into segments) in which every record has a number, its offset. The broker writes with ordinary file calls. The operating system keeps what was written in its page cache and brings it to the disk when it sees fit; only fsync waits until it is there, and by default Kafka does not call it for each record. When a broker starts after a crash it reads the end of its logs and checks the batches there (recovery). A record is acknowledged when the replicas that acks asks for have it; here there is only one replica, so acks=all and acks=1 mean the same.',
  exercises: [
    'Set flush.messages=1 for the topic in the variant power-failure. What is lost then, and what does it cost in records per second?',
    'Which offsets have the records that were written after each restart? Is there a hole?',
    'Kill the broker while nothing is written, on a cluster of your own (./faultline up --brokers 1), and compare what recovery says at the next start (./faultline logs) with a kill under load.',
    'Let the topic have three replicas on three brokers and cut the power of one of them: lab 27 begins there.',
  ],
  summary: 'kill -9 a broker that holds the only replica: the log must come back with every offset as it was.',
  question:
    'One broker, one replica. The broker is killed with kill -9 in the middle of writes and started again. What happened to acknowledged records?',
  prediction: {
    choices: [
      'All are there, each at its old offset',
      'Those since the last fsync are gone',
      'All are there, but the offsets after the crash are shifted',
      'The log has to be restored from a backup',
    ],
    answer: 0,
  },
  topology: { brokers: 1, controllers: 0, settings: quickFailover },
  needs: ['kill', 'pause', 'restart'],
  variants: [
    {
      name: 'main',
      summary: 'acks=all, idempotent; kill -9 and restart three times',
      role: 'main',
      workload: single,
      script: killThrice,
      checks,
      expect: 'valid',
    },
    {
      name: 'acks-0',
      summary: 'acks=0: the broker dies with records in its socket that it never read',
      role: 'control',
      workload: { ...single, acks: 0, idempotent: false },
      script: killFrozen,
      checks,
      expect: ['unseen', 'lost-write'],
      mustHold,
    },
    {
      name: 'power-failure',
      summary: 'acks=all, but the machine loses power: what was not fsynced is gone',
      role: 'control',
      needs: ['power-failure'],
      workload: single,
      script: cutThePower,
      checks,
      expect: ['unseen', 'lost-write', 'inconsistent-offsets'],
      mustHold,
    },
  ],
  watch: [
    'Log end offset before the kill and after the restart.',
    'Recovery reads only the end of the log, so the restart is quick.',
  ],
  explanation:
    'A log is a file that only grows. When the broker has written a record it is in the page cache of the operating system, which outlives the process: kill -9 loses nothing that was written. What may be torn is the last write; recovery cuts it off, and it had not been acknowledged. Offsets are the positions in that file, so they stay. A power failure is another matter: pages that were not yet on the disk are gone, and with a single replica nobody else has them. acks=0 promises nothing: the client does not even wait until the broker has read the bytes.',
  reading: [
    'Kafka documentation, "Log": https://kafka.apache.org/documentation/#log',
    'Kafka documentation, "Application vs. OS Flush Management": https://kafka.apache.org/documentation/#appvsosflush',
  ],
})
