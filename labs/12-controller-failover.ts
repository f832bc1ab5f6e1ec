/**
 * Lab 12: what do clients notice when the active controller dies?
 * Setup: 3 brokers and 3 controllers of their own, replication factor 3, min.insync.replicas 2, acks=all, idempotent.
 * Fault: kill -9 the active controller, twice; freeze it; stop it in an orderly way.
 * Expect: another controller takes over with a higher epoch; leaders lead on, and writers go on meanwhile; nothing is lost.
 * Control: acks=1 with a leader that dies while its followers lag must be caught losing records: the quorum protects metadata, not them.
 */
import { allChecks } from '#scripts/checkers/check.ts'
import { factCheck } from '#scripts/checkers/facts.ts'
import { lab, quickFailover } from '#scripts/labs/lab.ts'
import { longestWaitUntil } from '#scripts/labs/longest-wait.ts'
import type { LabRun, Script } from '#scripts/labs/script.ts'
import { acksOneControl } from '#scripts/labs/scripts.ts'
import { activeController, node } from '#scripts/labs/targets.ts'

const withoutController = 'without a controller that answers, ms'
const longestWait = 'longest wait of writers meanwhile, ms'

const depose: Script = async run => {
  run.step('healthy')
  await run.acknowledged(60)
  run.fact('leader epochs before', leaderEpochs(run))
  const epochs = [run.observer.latest?.controllerEpoch ?? -1]
  for (const round of ['first', 'second']) {
    run.step(`${round} kill -9 of the active controller`)
    const [killed] = await run.kill(activeController)
    await successor(run, killed as number)
    epochs.push(run.observer.latest?.controllerEpoch ?? -1)
    await run.acknowledged(60)
    await run.start(node(killed as number))
    await run.ready()
  }
  run.fact('leader epochs after two kills', leaderEpochs(run))
  run.fact('epochs of the quorum', epochs.join(', '))
  run.step('the active controller freezes')
  const [frozen] = await run.pause(activeController)
  // Longer than after a kill, which others see at once: here they wait for the controller until its time is over.
  const { waitMs, tookMs } = await longestWaitUntil(run, successor(run, frozen as number))
  run.fact(withoutController, tookMs)
  run.fact(longestWait, waitMs)
  await run.acknowledged(60)
  await run.resume(node(frozen as number))
  await run.ready()
  run.step('the active controller is stopped in an orderly way')
  const [stopped] = await run.stop(activeController)
  await successor(run, stopped as number)
  await run.acknowledged(60)
}

/** Of every partition, e.g. `0, 0, 0`: a new leader has a new one. */
function leaderEpochs(run: LabRun): string {
  const partitions = Object.entries(run.observer.latest?.partitions ?? {}).toSorted(([a], [b]) => a.localeCompare(b))
  return partitions.map(([, { leaderEpoch }]) => leaderEpoch).join(', ')
}

const leadersStay = factCheck({
  name: 'leaders-stay',
  promise: 'No partition got another leader when the active controller was killed: nobody but the controllers noticed.',
  about: ['leader epochs before', 'leader epochs after two kills'],
  broken: facts =>
    facts['leader epochs before'] === facts['leader epochs after two kills']
      ? undefined
      : `The leader epochs were ${facts['leader epochs before']}, and are ${facts['leader epochs after two kills']}.`,
})

const epochRises = factCheck({
  name: 'quorum-epoch-rises',
  promise: 'Each successor has a higher epoch than the controller before.',
  about: ['epochs of the quorum'],
  broken: ({ 'epochs of the quorum': text }) => {
    const epochs = String(text).split(', ').map(Number)
    const rises = epochs.length === 3 && epochs.every((epoch, index) => epoch > (epochs[index - 1] ?? -1))
    return rises ? undefined : `They were ${text}.`
  },
})

/** Who needs the controller waits until there is another one, and is told so a little later. */
const writersGoOn = factCheck({
  name: 'writers-go-on',
  promise: 'Writers did not wait for the next controller.',
  about: [withoutController, longestWait],
  broken: facts =>
    Number(facts[longestWait]) * 2 < Number(facts[withoutController])
      ? undefined
      : `For ${facts[longestWait]} of the ${facts[withoutController]} ms without a controller nothing was acknowledged.`,
})

async function successor(run: LabRun, deposed: number): Promise<void> {
  await run.until(
    'another controller is active',
    0,
    (_partition, { controller }) => controller >= 0 && controller !== deposed,
  )
}

export default lab({
  name: '12-controller-failover',
  difficulty: 2,
  lesson:
    'In KRaft the metadata of a cluster (topics, partitions, leaders, settings) is a log as well, __cluster_metadata, replicated by Raft among the controllers. The one that leads this log is the active controller; the others follow, and vote for a new one when it falls silent, with a higher epoch. All brokers read the log too, and work with what they have read. Who leads a partition, and which replicas are in sync, is in this log; the records of clients are not.',
  exercises: [
    'Kill two of three controllers. Which requests still work, and which wait?',
    'Create a topic while there is no active controller. What does the client get?',
    'Let the brokers be controllers as well (controllers: 0) and kill the active one. Which gaps between acknowledgements does that add?',
    'Freeze the active controller for a minute and let it go on. What are the first things it says (on a cluster of your own: ./faultline pause, resume, logs)?',
  ],
  summary:
    'Kill, freeze and stop the active controller: the quorum elects another, and no acknowledged record is lost.',
  question: 'The active controller is killed; it is a node of its own and leads no partition. What do writers notice?',
  prediction: {
    choices: [
      'Writes fail until a new controller is elected',
      'Writes to partitions whose leader lives go on; nothing that needs the controller does',
      'All consumers rebalance',
      'Partitions whose metadata was changed last fall back to their old leader',
    ],
    answer: 1,
  },
  topology: { brokers: 3, controllers: 3, settings: quickFailover },
  needs: ['kill', 'stop', 'pause', 'restart'],
  variants: [
    {
      name: 'main',
      summary: 'kill -9 twice, freeze, orderly stop of the active controller; acks=all, min.insync.replicas=2',
      role: 'main',
      workload: {},
      script: depose,
      checks: [...allChecks, leadersStay, epochRises, writersGoOn],
      expect: 'valid',
    },
    acksOneControl('acks=1: the quorum keeps metadata, but not the records that only a dead leader had'),
  ],
  watch: [
    'The controller lane: who is active, and the epoch of the quorum, which rises with each election.',
    'The gaps between acknowledgements: there are none when a controller dies, and the leader epochs stay as they are.',
    'A frozen controller comes back, sees the higher epoch and steps down.',
  ],
  explanation:
    'The active controller is the Raft leader of the metadata log. When it falls silent the other voters elect one of themselves, with a higher epoch that makes everything the old one may still say invalid. Brokers keep serving with the metadata they have: leaders lead, followers follow, groups go on. What waits is what changes metadata: electing leaders, shrinking or growing in-sync sets, creating topics. Here controllers are nodes of their own; where brokers are controllers as well, the kill of one also takes leaders away, and their partitions pause.',
  reading: [
    'KIP-500, Kafka without ZooKeeper: https://cwiki.apache.org/confluence/display/KAFKA/KIP-500',
    'KIP-595, a Raft protocol for the metadata quorum: https://cwiki.apache.org/confluence/display/KAFKA/KIP-595',
    'KIP-996, pre-vote: https://cwiki.apache.org/confluence/display/KAFKA/KIP-996',
  ],
})
