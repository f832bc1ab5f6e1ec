/**
 * Lab 12: what do clients notice when the active controller dies?
 * Setup: 3 brokers which are also the controllers, replication factor 3, min.insync.replicas 2, acks=all, idempotent.
 * Fault: kill -9 the active controller, twice; freeze it; stop it in an orderly way.
 * Expect: another controller takes over with a higher epoch; leaders on living brokers go on; nothing is lost.
 * Control: acks=1 with a leader that dies while its followers lag must be caught losing records: the quorum protects metadata, not them.
 */
import { allChecks } from '#scripts/checkers/check.ts'
import { lab, quickFailover } from '#scripts/labs/lab.ts'
import type { LabRun, Script } from '#scripts/labs/script.ts'
import { heldInLosses, loseTheUnreplicated, unreplicatedWorkload } from '#scripts/labs/scripts.ts'
import { activeController, node } from '#scripts/labs/targets.ts'

const depose: Script = async run => {
  run.step('healthy')
  await run.acknowledged(60)
  for (const round of ['first', 'second']) {
    run.step(`${round} kill -9 of the active controller`)
    const [killed] = await run.kill(activeController)
    await successor(run, killed as number)
    await run.acknowledged(60)
    await run.start(node(killed as number))
    await run.ready()
  }
  run.step('the active controller freezes')
  const [frozen] = await run.pause(activeController)
  await successor(run, frozen as number)
  await run.acknowledged(60)
  await run.resume(node(frozen as number))
  await run.ready()
  run.step('the active controller is stopped in an orderly way')
  const [stopped] = await run.stop(activeController)
  await successor(run, stopped as number)
  await run.acknowledged(60)
}

async function successor(run: LabRun, deposed: number): Promise<void> {
  await run.until(
    'another controller is active',
    0,
    (_partition, { controller }) => controller >= 0 && controller !== deposed,
  )
}

export default lab({
  name: '12-controller-failover',
  summary:
    'Kill, freeze and stop the active controller: the quorum elects another, and no acknowledged record is lost.',
  question:
    'The active controller is killed; it leads no partition that a client is writing to. What do writers notice?',
  prediction: {
    choices: [
      'Writes fail until a new controller is elected',
      'Writes to partitions whose leader lives go on; nothing that needs the controller does',
      'All consumers rebalance',
      'Partitions whose metadata was changed last fall back to their old leader',
    ],
    answer: 1,
  },
  topology: { brokers: 3, controllers: 0, settings: quickFailover },
  needs: ['kill', 'stop', 'pause', 'restart'],
  variants: [
    {
      name: 'main',
      summary: 'kill -9 twice, freeze, orderly stop of the active controller; acks=all, min.insync.replicas=2',
      role: 'main',
      workload: {},
      script: depose,
      checks: allChecks,
      expect: 'valid',
    },
    {
      name: 'acks-1',
      summary: 'acks=1: the quorum keeps metadata, but not the records that only a dead leader had',
      role: 'control',
      workload: unreplicatedWorkload,
      script: loseTheUnreplicated,
      checks: allChecks,
      expect: ['lost-write', 'unseen'],
      mustHold: heldInLosses,
    },
  ],
  watch: [
    'The controller lane: who is active, and the epoch of the quorum, which rises with each election.',
    'Gaps between acknowledgements exist only for partitions that the dead node led.',
    'A frozen controller comes back, sees the higher epoch and steps down.',
  ],
  explanation:
    'The active controller is the Raft leader of the metadata log. When it falls silent the other voters elect one of themselves, with a higher epoch that makes everything the old one may still say invalid. Brokers keep serving with the metadata they have: leaders lead, followers follow, groups go on. What waits is what changes metadata: electing leaders, shrinking or growing in-sync sets, creating topics. Here brokers are controllers as well, so the kill of a controller also takes leaders away; that is why some partitions pause.',
  reading: [
    'KIP-500, Kafka without ZooKeeper: https://cwiki.apache.org/confluence/display/KAFKA/KIP-500',
    'KIP-595, a Raft protocol for the metadata quorum: https://cwiki.apache.org/confluence/display/KAFKA/KIP-595',
    'KIP-996, pre-vote: https://cwiki.apache.org/confluence/display/KAFKA/KIP-996',
  ],
})
