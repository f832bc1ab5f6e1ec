/**
 * Lab 32: which fault is it, and on which broker?
 * Setup: 3 brokers and a controller of its own, replication factor 3, min.insync.replicas 2, acks=all; clients write and read all the time.
 * Fault: hidden. The seed chooses kinds and brokers: dead, frozen, cut off from the other nodes; where nodes can be broken from inside also a slow
 *   disk, a full disk, a wrong clock. Whoever runs the lab at a terminal sees the symptoms and says what it is.
 * Expect: from the symptoms alone each fault is told from the others, on the right broker; a healthy cluster has none; nothing is lost.
 * Control: somebody who looks at one symptom only (who is out of sync must be dead) must be caught with a wrong diagnosis, on the same faults, told
 *   as they happen. And a healthy cluster must be caught without a fault to be found.
 */
import { allChecks } from '#scripts/checkers/check.ts'
import { factCheck } from '#scripts/checkers/facts.ts'
import { seededRandom } from '#scripts/cluster/random.ts'
import {
  ailments,
  diagnose,
  diagnosisText,
  symptomLines,
  type Ailment,
  type Diagnosis,
} from '#scripts/labs/diagnosis/diagnose.ts'
import { innerFaults, outerFaults, type HiddenFault } from '#scripts/labs/diagnosis/hidden-faults.ts'
import { Doctor, type Symptoms } from '#scripts/labs/diagnosis/symptoms.ts'
import { lab, quickFailover } from '#scripts/labs/lab.ts'
import type { LabRun, Script } from '#scripts/labs/script.ts'

const brokers = [1, 2, 3]
const partitions = [0, 1, 2]
const patienceMs = 45_000
const betweenLooksMs = 300

type Diagnose = (symptoms: Symptoms) => Diagnosis

/** Looks until two looks in a row say the same; with a fault about, until they say what it is and the others have noticed who does not answer. */
async function examine(run: LabRun, doctor: Doctor, judge: Diagnose, isFaultAbout: boolean) {
  const { clock } = run.cluster
  const endMs = clock.nowMs() + patienceMs
  for (let before = ''; ;) {
    const symptoms = await doctor.look()
    const diagnosis = judge(symptoms)
    const text = diagnosisText(diagnosis)
    const isNoticed = symptoms.brokers.every(each => each.answers === 'yes' || each.isAliveToOthers === false)
    const isSettled = text === before && isNoticed && ('broker' in diagnosis || !isFaultAbout)
    if (isSettled || clock.nowMs() >= endMs) return { symptoms, text }
    before = text
    await clock.sleep(betweenLooksMs)
  }
}

/** What somebody at the terminal says; undefined: nobody is there, or has no idea. */
async function askLearner(run: LabRun, shown: readonly string[]): Promise<string | undefined> {
  const names = Object.keys(ailments) as Ailment[]
  const what = await run.ask({
    shown,
    question: 'What is wrong?',
    choices: [...names.map(name => ailments[name]), 'nothing'],
  })
  if (what === undefined) return undefined
  const ailment = names[what]
  if (ailment === undefined) return diagnosisText({ ailment: 'nothing' })
  const where = await run.ask({ shown: [], question: 'With which broker?', choices: brokers.map(id => `broker ${id}`) })
  return where === undefined ? undefined : diagnosisText({ ailment, broker: brokers[where] ?? -1 })
}

interface Round {
  readonly fault: HiddenFault
  readonly broker: number
}

/** The same for the same seed, on every runtime. */
function roundsOf(seed: number, faults: readonly HiddenFault[]): Round[] {
  const random = seededRandom(seed)
  const left = [...faults]
  return faults.map(() => ({
    fault: left.splice(random.below(left.length), 1)[0] as HiddenFault,
    broker: brokers[random.below(brokers.length)] as number,
  }))
}

const truthOf = (round: number) => `hidden fault ${round}`
const foundBy = (round: number) => `diagnosis ${round}`
const healthy = 'diagnosis of the healthy cluster'

function hiding(faults: readonly HiddenFault[], how: { readonly judge: Diagnose; readonly isHidden: boolean }): Script {
  return async run => {
    const doctor = new Doctor(run.cluster, run.workload.topic)
    await doctor.prepare()
    run.step('healthy')
    await run.acknowledged(10)
    run.fact(healthy, (await examine(run, doctor, how.judge, false)).text)
    for (const [index, { fault, broker }] of roundsOf(run.cluster.spec.seed, faults).entries()) {
      const round = index + 1
      const before = { acknowledged: run.workload.acknowledged, ms: run.cluster.clock.nowMs() }
      run.step(`fault ${round} of ${faults.length}`)
      const begin = async () => await fault.begin(run, broker)
      await (how.isHidden ? run.hidden(begin) : begin())
      const { symptoms, text } = await examine(run, doctor, how.judge, true)
      const count = run.workload.acknowledged - before.acknowledged
      const sinceS = (run.cluster.clock.nowMs() - before.ms) / 1000
      const lines = [...symptomLines(symptoms), `acknowledged in these ${sinceS.toFixed(1)} s: ${count} records`]
      run.fact(`symptoms ${round}`, lines.join(' | '))
      const truth = diagnosisText({ ailment: fault.ailment, broker })
      const said = how.isHidden ? await askLearner(run, lines) : undefined
      run.fact(foundBy(round), text)
      run.fact(truthOf(round), truth)
      if (said !== undefined) run.fact(`what you said ${round}`, said)
      const answer = said === undefined ? '' : said === truth ? '; so you said' : `; you said ${said}`
      run.step(`it was ${truth}${answer}`)
      await fault.end(run, broker)
      await run.ready()
      for (const partition of partitions)
        await run.until('all replicas are in sync', partition, ({ isr }) => isr.length === brokers.length)
    }
  }
}

const lookAtHealthy: Script = async run => {
  const doctor = new Doctor(run.cluster, run.workload.topic)
  await doctor.prepare()
  run.step('healthy')
  await run.acknowledged(10)
  run.step('somebody looks for a fault')
  run.fact(foundBy(1), (await examine(run, doctor, diagnose, false)).text)
}

/** Whoever does not answer, or is not in sync everywhere, is dead: the shortest runbook there is. */
const hasty: Diagnose = ({ brokers: seen, partitions: count }) => {
  const odd = seen.find(({ answers, inSyncIn }) => answers !== 'yes' || inSyncIn < count)
  return odd === undefined ? { ailment: 'nothing' } : { ailment: 'dead', broker: odd.broker }
}

function allFound(faults: readonly HiddenFault[]) {
  const rounds = faults.map((_, index) => index + 1)
  return factCheck({
    name: 'diagnosis-is-right',
    promise: 'Each hidden fault was found from its symptoms, on its broker.',
    about: rounds.flatMap(round => [truthOf(round), foundBy(round)]),
    broken: facts => {
      const wrong = rounds.filter(round => facts[truthOf(round)] !== facts[foundBy(round)])
      const words = wrong.map(round => `It was ${facts[truthOf(round)]}; the diagnosis was ${facts[foundBy(round)]}.`)
      return wrong.length === 0 ? undefined : words.join(' ')
    },
  })
}

const noFalseAlarm = factCheck({
  name: 'no-false-alarm',
  promise: 'The healthy cluster was found healthy.',
  about: [healthy],
  broken: facts =>
    facts[healthy] === diagnosisText({ ailment: 'nothing' }) ? undefined : `The diagnosis was: ${facts[healthy]}.`,
})

const workload = { partitions: partitions.length, producers: 2, consumers: 1, pauseMaxMs: 300 } as const

export default lab({
  name: '32-capstone',
  difficulty: 3,
  lesson:
    'Everything so far began with a fault and looked at what came of it. On call it is the other way round: there are symptoms, and the fault is to be found. Three questions go a long way. Does the broker answer, refuse, or say nothing? A process that is gone takes no connection (its machine says so at once); one that stands still has its connections kept open by the machine, and nobody reads what comes in. What do the others say of it? The controller calls a broker alive as long as its heartbeats come; it does not try to reach it. And does its own work differ from that of the others: how long does a write take that needs nobody else (acks=1), is it refused, which time does it write down (LogAppendTime)? One symptom fits several faults, two or three together hardly do. Each round you see one line for each broker, taken from outside, and say what it is.',
  exercises: [
    'Play another seed: lab run 32 --seed 2. The same seed hides the same faults; --variant hasty shows them, announced as they happen.',
    'Run it with --step on --runtime simulated and look at the logs of the replicas before you answer. Which of the faults show there?',
    'Read the symptoms of a broker that is cut off in the report. Whom does it see alive itself, and why does it believe that?',
    'Which faults would be mistaken for each other if acks=all was measured instead of acks=1, and why?',
    'Two faults at once: cut one broker off and slow the disk of another. What does the diagnosis say, and what would you look at?',
  ],
  summary: 'The seed hides faults; from the symptoms alone you say which one it is, and on which broker.',
  question:
    'Broker 2 is missing from the in-sync sets, and the controller calls it gone. You connect to it as a client, and it answers at once that all brokers are alive. What is wrong with it?',
  prediction: {
    choices: [
      'Its process is dead',
      'It is frozen, as in a long garbage collection',
      'It is cut off from the other nodes, but not from its clients',
      'Its disk is slow',
    ],
    answer: 2,
  },
  topology: { brokers: 3, controllers: 1, settings: quickFailover },
  needs: ['kill', 'pause', 'restart', 'partition'],
  variants: [
    {
      name: 'main',
      summary: 'three faults that the seed hides, of processes and links',
      role: 'main',
      workload,
      script: hiding(outerFaults, { judge: diagnose, isHidden: true }),
      checks: [...allChecks, noFalseAlarm, allFound(outerFaults)],
      expect: 'valid',
    },
    {
      name: 'inside',
      summary: 'three more faults that the seed hides, inside of nodes',
      role: 'main',
      needs: ['node-faults'],
      workload,
      script: hiding(innerFaults, { judge: diagnose, isHidden: true }),
      checks: [...allChecks, noFalseAlarm, allFound(innerFaults)],
      expect: 'valid',
      // In containers: whose disk is full there is dead, and nothing but its log says why.
      expectOn: { 'apache-kafka': ['diagnosis-is-right'] },
    },
    {
      name: 'hasty',
      summary:
        'the faults of main once more, told as they happen; the diagnosis takes everybody who is out of sync for dead',
      role: 'control',
      workload,
      script: hiding(outerFaults, { judge: hasty, isHidden: false }),
      checks: [...allChecks, allFound(outerFaults)],
      expect: ['diagnosis-is-right'],
    },
    {
      name: 'healthy',
      summary: 'nothing is broken, and somebody looks for a fault',
      role: 'control',
      workload,
      script: lookAtHealthy,
      checks: [
        ...allChecks,
        factCheck({
          name: 'fault-is-found',
          promise: 'A fault was found.',
          about: [foundBy(1)],
          broken: facts =>
            facts[foundBy(1)] === diagnosisText({ ailment: 'nothing' }) ? 'There was none to be found.' : undefined,
        }),
      ],
      expect: ['fault-is-found'],
    },
  ],
  watch: [
    'The facts symptoms 1, 2, 3 in the report: what there was to see in each round, beside what it was.',
    'Dead and frozen look the same to the controller, and different to a client: one refuses, one is silent. That is why clients need time limits for requests, not only for connections.',
    'A broker that is cut off tells an old story with the same face: it calls everybody alive, itself included, since nobody can tell it otherwise.',
    'Faults inside change no in-sync set at first: the controller knows nothing of them. A slow disk is found by comparing brokers, a wrong clock by comparing times.',
  ],
  explanation:
    'A broker is alive to Kafka when its heartbeats reach the controller, and to a client when it answers. The table of the two tells three faults apart: no connection, it is dead; a connection without an answer, it is frozen; an answer, while the others call it gone, it is cut off. Its own metadata is of no help there: it is what the broker heard last. The rest is invisible to the controller. A slow disk shows where a write needs nobody else, so with acks=1 to a partition of that broker; with acks=all every partition that it follows is as slow, and points everywhere. A full disk refuses (KAFKA_STORAGE_ERROR in our broker; Kafka takes the log directory offline, which is another symptom). A wrong clock is seen in what it writes down. Whoever looks at one symptom only will be right sometimes: the control calls all three faults of main dead, and is right once. In practice the order of the questions is a runbook; that a healthy cluster passes it without a finding is as important as that it finds the fault.',
  reading: [
    'KIP-631, heartbeats and fencing of brokers: https://cwiki.apache.org/confluence/display/KAFKA/KIP-631',
    'Kafka documentation, "Monitoring": https://kafka.apache.org/documentation/#monitoring',
    'P. Huang et al., Gray Failure, the Achilles’ Heel of Cloud-Scale Systems (HotOS 2017): https://dl.acm.org/doi/10.1145/3102980.3103005',
    'P. Bailis, K. Kingsbury, The Network is Reliable (2014): https://queue.acm.org/detail.cfm?id=2655736',
  ],
})
