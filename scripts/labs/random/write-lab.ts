/**
 * A random lab as a lab of one file: what failed, and the same with one thing changed. What its settings do not promise becomes the control,
 * with safe settings as what must hold; what broke a promise becomes what must hold, so that the lab is invalid for as long as it does.
 */
import { documentedFindings, settingsInWords, type RandomLab } from './random-lab.ts'
import { needsOf } from './schedule.ts'

/** @param check  the check that finds something */
export function labFile(lab: RandomLab, check: string, name: string): string {
  const { seed, brokers, controllers, faults, lengthMs } = lab
  const isDocumented = (documentedFindings(lab) as readonly string[]).includes(check)
  const schedule = faults.map(fault => `  ${objectText(fault)},`).join('\n')
  const needs = [...new Set([...needsOf(faults), 'kill', 'pause', 'restart'])]
  const safe = { ...lab, acks: -1, idempotent: true, minInsync: 2, unclean: false } as const
  return `/**
 * Lab ${name}: what does this schedule of faults do with ${settingsInWords(lab)}?
 * Setup: ${brokers} brokers${controllers === 0 ? '' : `, ${controllers} controllers of their own`}, replication factor 3, ${settingsInWords(lab)}.
 * Fault: ${faults.length === 0 ? 'none' : faults.map(({ kind, target }) => `${kind} ${target}`).join(', then ')}.
 * Expect: ${isDocumented ? `with safe settings nothing is found` : `nothing is found; as it is, ${check} is`}.
 * Control: ${isDocumented ? `as it is, ${check} finds something` : 'with acks=1 records are lost'}.
 *
 * Made from the seed ${seed}. The same again: lab run FILE --runtime simulated --seed ${seed}
 */
import { allChecks, faultSchedule, heldInLosses, lab, loseTheUnreplicated, quickFailover, unreplicatedWorkload } from 'faultline/lab'

const schedule = faultSchedule(
  [
${schedule}
  ],
  ${lengthMs},
)

export default lab({
  name: '${name}',
  summary: 'A schedule of faults that was made as small as it can be.',
  question: 'With ${settingsInWords(lab)}, does this schedule of faults break a promise?',
  prediction: { choices: ['No', 'Yes: ${check}'], answer: ${isDocumented ? 0 : 1} },
  topology: { brokers: ${brokers}, controllers: ${controllers}, settings: quickFailover },
  needs: ${listText(needs)},
  variants: [
${isDocumented ? failingVariant(lab, check) + safeVariant(safe) : failingVariant(lab, undefined) + lossyControl}  ],
  watch: ['What happens between the first fault and the finding of ${check}.'],
  explanation: '${isDocumented ? `These settings do not promise against ${check}; safe ones do.` : `A promise of Kafka is broken for as long as ${check} finds something here.`}',
  reading: ['https://kafka.apache.org/documentation/#replication'],
})
`
    .replace(isDocumented ? ', loseTheUnreplicated' : '', '')
    .replace(isDocumented ? ', unreplicatedWorkload' : '', '')
}

const lossyControl = `    {
      name: 'acks-1',
      summary: 'acks=1: the leader dies with records that nobody else has',
      role: 'control',
      workload: unreplicatedWorkload,
      script: loseTheUnreplicated,
      checks: allChecks,
      expect: ['lost-write', 'unseen', 'vanished'],
      mustHold: heldInLosses,
    },
`

/** First, so that it runs on a cluster that is as fresh as when it was found. */
function failingVariant(lab: RandomLab, control: string | undefined): string {
  return variantText('main-as-found', `as it was found: ${settingsInWords(lab)}`, lab, control)
}

function safeVariant(lab: RandomLab): string {
  return variantText('safe', `the same with ${settingsInWords(lab)}`, lab, undefined)
}

/** @param control  the check that finds something; undefined: it is a main, which must be valid */
function variantText(name: string, summary: string, lab: RandomLab, control: string | undefined): string {
  const { acks, idempotent, partitions, producers, consumers, minInsync, unclean } = lab
  const settings = {
    'min.insync.replicas': String(minInsync),
    ...(unclean ? { 'unclean.leader.election.enable': 'true' } : {}),
  }
  const workload = { acks, idempotent, partitions, producers, consumers, settings }
  return `    {
      name: '${name}',
      summary: '${summary}',
      role: ${control === undefined ? "'main'" : "'control'"},
      workload: ${objectText(workload)},
      script: schedule,
      checks: allChecks,
      expect: ${control === undefined ? "'valid'" : `['${control}'],\n      mustHold: heldInLosses`},
    },
`
}

/** `{ atMs: 300, kind: 'kill' }`, as people write it. */
function objectText(value: object): string {
  const parts = Object.entries(value).map(([key, each]) => {
    const name = /^\w+$/.test(key) ? key : `'${key}'`
    return `${name}: ${typeof each === 'object' && each !== null ? objectText(each as object) : literal(each)}`
  })
  return `{ ${parts.join(', ')} }`
}

function listText(items: readonly string[]): string {
  return `[${items.map(item => `'${item}'`).join(', ')}]`
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value)
}
