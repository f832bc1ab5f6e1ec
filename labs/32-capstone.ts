/**
 * Lab 32: which fault is it, and on which broker?
 * Setup: 3 brokers and a controller of its own, replication factor 3, min.insync.replicas 2, acks=all; clients write and read all the time.
 * Fault: hidden. The seed chooses kinds and brokers: dead, frozen, cut off from the other nodes; where nodes can be broken from inside also a slow
 *   disk, a full disk, a wrong clock. Whoever runs the lab at a terminal sees the symptoms and says what it is.
 * Expect: from the symptoms alone each fault is told from the others, on the right broker; a healthy cluster has none; nothing is lost.
 * Control: somebody who takes whoever does not answer for dead must be caught with the frozen broker, and be right about the others. And somebody
 *   who writes nothing to the brokers must be caught with a slow disk and a wrong clock. Both have the symptoms that tell.
 */
import { allChecks } from '#scripts/checkers/check.ts'
import { factCheck } from '#scripts/checkers/facts.ts'
import {
  ailments,
  diagnose,
  diagnoseHastily,
  diagnoseWithoutWrites,
  diagnosisText,
  symptomLines,
  type Ailment,
  type Diagnosis,
} from '#scripts/labs/diagnosis/diagnose.ts'
import {
  drawnRounds,
  eachOnce,
  innerFaults,
  outerFaults,
  type HiddenFault,
  type Round,
} from '#scripts/labs/diagnosis/hidden-faults.ts'
import { Doctor, type Symptoms } from '#scripts/labs/diagnosis/symptoms.ts'
import { lab, quickFailover } from '#scripts/labs/lab.ts'
import type { LabRun, Script } from '#scripts/labs/script.ts'
import { startMs } from '#scripts/labs/scripts.ts'

const brokers = [1, 2, 3]
const partitions = [0, 1, 2]
const patienceMs = 45_000
const betweenLooksMs = 300

type Diagnose = (symptoms: Symptoms) => Diagnosis

/** Looks until two looks in a row say the same, and fails when they never do; with a fault about, until they say what it is and the others have noticed who does not answer. */
async function examine(run: LabRun, doctor: Doctor, isFaultAbout: boolean) {
  const { clock } = run.cluster
  const endMs = clock.nowMs() + patienceMs
  for (let before = ''; ;) {
    const symptoms = await doctor.look()
    const diagnosis = diagnose(symptoms)
    const text = diagnosisText(diagnosis)
    const isNoticed = symptoms.brokers.every(each => each.answers === 'yes' || each.isAliveToOthers === false)
    const isSettled = text === before && isNoticed && ('broker' in diagnosis || !isFaultAbout)
    if (isSettled) return { symptoms, text }
    if (clock.nowMs() >= endMs)
      throw new Error(`in ${patienceMs} ms no two looks said the same of a fault that was noticed; the last: ${text}`)
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

const truthOf = (round: number) => `hidden fault ${round}`
const foundBy = (round: number) => `diagnosis ${round}`
/** Of the same symptoms, by somebody who judges by all of them. */
const foundByAll = (round: number) => `diagnosis ${round} by all symptoms`
const healthy = 'diagnosis of the healthy cluster'

interface Hiding {
  readonly rounds: (seed: number) => readonly Round[]
  readonly judge: Diagnose
  readonly isHidden: boolean
}

function hiding({ rounds, judge, isHidden }: Hiding): Script {
  return async run => {
    const doctor = new Doctor(run.cluster, run.workload.topic)
    run.step('healthy')
    await run.acknowledged(10)
    await doctor.prepare()
    run.fact('slowest of the writes to healthy brokers, in the median, ms', doctor.usualWriteMs)
    run.fact(healthy, (await examine(run, doctor, false)).text)
    const all = rounds(run.cluster.spec.seed)
    for (const [index, { fault, broker }] of all.entries()) {
      const round = index + 1
      const before = { acknowledged: run.workload.acknowledged, ms: run.cluster.clock.nowMs() }
      run.step(`fault ${round} of ${all.length}`)
      const begin = async () => await fault.begin(run, broker, doctor.usualWriteMs)
      await (isHidden ? run.hidden(begin) : begin())
      const { symptoms, text } = await examine(run, doctor, true)
      const count = run.workload.acknowledged - before.acknowledged
      const sinceS = (run.cluster.clock.nowMs() - before.ms) / 1000
      const lines = [...symptomLines(symptoms), `acknowledged in these ${sinceS.toFixed(1)} s: ${count} records`]
      run.fact(`symptoms ${round}`, lines.join(' | '))
      const ailment = fault.ailmentOn?.[run.cluster.spec.engine] ?? fault.ailment
      const truth = diagnosisText({ ailment, broker })
      const said = isHidden ? await askLearner(run, lines) : undefined
      run.fact(foundBy(round), diagnosisText(judge(symptoms)))
      run.fact(foundByAll(round), text)
      run.fact(truthOf(round), truth)
      if (said !== undefined) run.fact(`what you said ${round}`, said)
      const answer = said === undefined ? '' : said === truth ? '; so you said' : `; you said ${said}`
      run.step(`it was ${truth}${answer}`)
      await fault.end(run, broker)
      await run.ready()
      for (const partition of partitions)
        await run.until('all replicas are in sync', partition, ({ isr }) => isr.length === brokers.length, startMs)
    }
  }
}

const roundsOf = (faults: readonly HiddenFault[]) => faults.map((_, index) => index + 1)

function allFound(faults: readonly HiddenFault[]) {
  const rounds = roundsOf(faults)
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

/** The control is wrong where it must be, and nowhere else; and the symptoms that it had would have told. */
function errsOnly(faults: readonly HiddenFault[], words: string, instead: (truth: string) => string) {
  const rounds = roundsOf(faults)
  return factCheck({
    name: 'errs-only-there',
    promise: `The diagnosis was wrong ${words} and nowhere else, and by all symptoms each fault was found.`,
    about: rounds.flatMap(round => [truthOf(round), foundBy(round), foundByAll(round)]),
    broken: facts => {
      const odd = rounds.filter(round => {
        const truth = String(facts[truthOf(round)])
        return facts[foundByAll(round)] !== truth || facts[foundBy(round)] !== instead(truth)
      })
      const told = odd.map(
        round =>
          `It was ${facts[truthOf(round)]}; the diagnosis was ${facts[foundBy(round)]}, and ${facts[foundByAll(round)]} by all symptoms.`,
      )
      return odd.length === 0 ? undefined : told.join(' ')
    },
  })
}

const frozenIsDead = errsOnly(outerFaults, 'about the frozen broker', truth =>
  truth.replace(ailments.frozen, ailments.dead),
)
/** A full disk is left out: on Apache Kafka it ends the process, which anybody sees. */
const needWrites = innerFaults.filter(({ ailment }) => ailment !== 'full disk')
const nothingIsSeen = errsOnly(needWrites, 'about what only writes show', () => diagnosisText({ ailment: 'nothing' }))

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
    'Everything so far began with a fault and looked at what came of it. On call it is the other way round: there are symptoms, and the fault is to be found. Three questions go a long way. Does the broker answer, refuse, or say nothing? A process that is gone takes no connection (its machine says so at once); one that stands still has its connections kept open by the machine, and nobody reads what comes in. What do the others say of it? The controller calls a broker alive as long as its heartbeats come; it does not try to reach it. And does its own work differ from that of the others: how long does a write take that needs nobody else (acks=1), is it refused, which time does it write down (LogAppendTime)? One symptom fits several faults, two or three together hardly do. Each round you see one line for each broker, taken from outside, and say what it is. The same fault may come again.',
  exercises: [
    'Play another seed: lab run 32 --seed 2. The same seed hides the same faults. --variant hasty has each of them once, announced as it happens.',
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
      summary: 'three times a fault that the seed hides, of processes and links',
      role: 'main',
      workload,
      script: hiding({ rounds: seed => drawnRounds(seed, outerFaults, brokers), judge: diagnose, isHidden: true }),
      checks: [...allChecks, noFalseAlarm, allFound(outerFaults)],
      expect: 'valid',
    },
    {
      name: 'inside',
      summary: 'three times a fault that the seed hides, inside of nodes',
      role: 'main',
      needs: ['node-faults'],
      workload,
      script: hiding({ rounds: seed => drawnRounds(seed, innerFaults, brokers), judge: diagnose, isHidden: true }),
      checks: [...allChecks, noFalseAlarm, allFound(innerFaults)],
      expect: 'valid',
    },
    {
      name: 'hasty',
      summary:
        'each fault of processes and links once, told as it happens; the diagnosis takes whoever does not answer for dead',
      role: 'control',
      workload,
      script: hiding({
        rounds: seed => eachOnce(seed, outerFaults, brokers),
        judge: diagnoseHastily,
        isHidden: false,
      }),
      checks: [...allChecks, allFound(outerFaults), frozenIsDead],
      expect: ['diagnosis-is-right'],
      mustHold: [frozenIsDead.name],
    },
    {
      name: 'no-writes',
      summary:
        'a slow disk and a wrong clock, told as they happen; the diagnosis is made without writing to the brokers',
      role: 'control',
      needs: ['node-faults'],
      workload,
      script: hiding({
        rounds: seed => eachOnce(seed, needWrites, brokers),
        judge: diagnoseWithoutWrites,
        isHidden: false,
      }),
      checks: [...allChecks, allFound(needWrites), nothingIsSeen],
      expect: ['diagnosis-is-right'],
      mustHold: [nothingIsSeen.name],
    },
  ],
  watch: [
    'The facts symptoms 1, 2, 3 in the report: what there was to see in each round, beside what it was.',
    'Dead and frozen look the same to the controller, and different to a client: one refuses, one is silent. That is why clients need time limits for requests, not only for connections.',
    'A broker that is cut off tells an old story with the same face: it calls everybody alive, itself included, since nobody can tell it otherwise.',
    'Faults inside change no in-sync set at first: the controller knows nothing of them. A slow disk is found by comparing brokers, a wrong clock by comparing times.',
  ],
  explanation:
    'A broker is alive to Kafka when its heartbeats reach the controller, and to a client when it answers. The table of the two tells three faults apart: no connection, it is dead; a connection without an answer, it is frozen; an answer, while the others call it gone, it is cut off. Its own metadata is of no help there: it is what the broker heard last. The rest is invisible to the controller. A slow disk shows where a write needs nobody else, so with acks=1 to a partition of that broker; with acks=all every partition that it follows is as slow, and points everywhere. A full disk refuses (KAFKA_STORAGE_ERROR in our broker; Kafka takes the log directory offline, which is another symptom). A wrong clock is seen in what it writes down. Whoever looks at one symptom only will be right sometimes: one control takes whoever does not answer for dead and is wrong about the frozen one, another writes nothing and finds no fault inside of nodes at all. In practice the order of the questions is a runbook; that a healthy cluster passes it without a finding is as important as that it finds the fault.',
  reading: [
    'KIP-631, heartbeats and fencing of brokers: https://cwiki.apache.org/confluence/display/KAFKA/KIP-631',
    'Kafka documentation, "Monitoring": https://kafka.apache.org/documentation/#monitoring',
    'P. Huang et al., Gray Failure, the Achilles’ Heel of Cloud-Scale Systems (HotOS 2017): https://dl.acm.org/doi/10.1145/3102980.3103005',
    'P. Bailis, K. Kingsbury, The Network is Reliable (2014): https://queue.acm.org/detail.cfm?id=2655736',
  ],
})
