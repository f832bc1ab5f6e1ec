/** A lab as data: topology, workload, schedule of faults. Drawn from a seed; what it may lose follows from its settings. */
import type { CheckName } from '../../checkers/check.ts'
import { allChecks } from '../../checkers/check.ts'
import { seededRandom } from '../../cluster/random.ts'
import { weakenings, type Weakening } from './weakenings.ts'
import { quickFailover, type Lab, type Variant } from '../lab.ts'
import {
  checkSchedule,
  faultSchedule,
  needsOf,
  scheduledKinds,
  type ScheduledFault,
  type ScheduledKind,
} from './schedule.ts'

export interface RandomLab {
  readonly format: 'faultline-random-lab'
  readonly version: 1
  /** Of the cluster, its clients and, in the simulator, everything. */
  readonly seed: number
  readonly brokers: number
  /** 0: brokers are controllers as well. */
  readonly controllers: number
  readonly partitions: number
  readonly producers: number
  readonly consumers: number
  readonly acks: 0 | 1 | -1
  readonly idempotent: boolean
  readonly minInsync: number
  readonly unclean: boolean
  readonly faults: readonly ScheduledFault[]
  /** How long the schedule takes; then everything is healed and read. */
  readonly lengthMs: number
}

/** Of ten labs six keep every promise, so that a finding in them is a bug. */
const profiles: readonly (Weakening | 'safe')[] = [
  ...Array.from({ length: 6 }, () => 'safe' as const),
  'acks-1',
  'unclean',
  'not-idempotent',
  'min-insync-1',
]

/** Which faults are there at all is drawn first (swarm testing): a lab with all of them seldom gets far with one. */
export function drawLab(seed: number, weaken: readonly Weakening[] = []): RandomLab {
  const random = seededRandom(seed)
  const between = (least: number, most: number) => least + random.below(most - least + 1)
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)] as T
  const brokers = pick([3, 3, 3, 4, 5])
  const controllers = pick([0, 0, 1, 3])
  const partitions = between(1, 3)
  const profile = pick(profiles)
  const settings = [...(weaken.length > 0 ? weaken : profile === 'safe' ? [] : [profile])]
  const powerMayFail = settings.includes('min-insync-1') || settings.includes('unclean')
  const drawn = scheduledKinds.filter(() => random.below(2) === 0)
  const allowed = (drawn.length === 0 ? scheduledKinds : drawn).filter(kind => kind !== 'power-failure' || powerMayFail)
  const kinds: readonly ScheduledKind[] = allowed.length === 0 ? ['kill'] : allowed
  const lengthMs = between(6, 15) * 1_000
  const target = () => {
    const partition = random.below(partitions)
    const id = between(1, brokers)
    return pick([
      `leader of ${partition}`,
      `leader of ${partition}`,
      `follower of ${partition}`,
      `followers of ${partition}`,
      'controller',
      'every node',
      `node ${id}`,
    ])
  }
  const faults = Array.from({ length: between(2, 7) }, (): ScheduledFault => {
    const kind = pick(kinds)
    return { atMs: between(3, lengthMs / 100) * 100, kind, target: target(), forMs: between(5, 50) * 100 }
  })
  const lab: RandomLab = {
    format: 'faultline-random-lab',
    version: 1,
    seed,
    brokers,
    controllers,
    partitions,
    producers: between(1, 3),
    consumers: between(0, 2),
    acks: -1,
    idempotent: true,
    minInsync: 2,
    unclean: false,
    faults: faults.toSorted((a, b) => a.atMs - b.atMs),
    lengthMs,
  }
  return settings.reduce<RandomLab>((weaker, name) => ({ ...weaker, ...weakenings[name] }), lab)
}

/**
 * Losses, and what they look like from outside: records of later leaders take the places of lost ones, so they lie below what was known before
 * they were sent; and a record that was read, lost, and sent again by a client without an answer, was seen in two places.
 */
const afterLoss: readonly CheckName[] = [
  'lost-write',
  'unseen',
  'vanished',
  'duplicate',
  'inconsistent-offsets',
  'log-order',
  'nonmonotonic-send',
  'key-order',
  'int-nonmonotonic-poll',
  'int-poll-skip',
  'nonmonotonic-poll',
  'poll-skip',
]
const afterRetries: readonly CheckName[] = ['duplicate', 'int-nonmonotonic-send', 'nonmonotonic-send', 'key-order']

/**
 * What Kafka's documentation does not promise with these settings; a finding of any other check is a bug. Empty: every promise holds.
 *
 * acks below all, and unclean election, give acknowledged records up. So does a power failure where a single replica is enough to acknowledge:
 * records are not flushed before they are acknowledged. A producer that is not idempotent writes again what it had no answer for.
 */
export function documentedFindings({ acks, unclean, minInsync, idempotent, faults }: RandomLab): readonly CheckName[] {
  const losesPower = faults.some(({ kind }) => kind === 'power-failure')
  const mayLose = acks !== -1 || unclean || (losesPower && minInsync < 2)
  return [...(mayLose ? afterLoss : []), ...(idempotent ? [] : afterRetries)]
}

/** In the words of the settings: `acks=1, min.insync.replicas=2, …`. */
export function settingsInWords({ acks, idempotent, minInsync, unclean }: RandomLab): string {
  return [
    `acks=${acks === -1 ? 'all' : acks}`,
    `min.insync.replicas=${minInsync}`,
    ...(idempotent ? [] : ['not idempotent']),
    ...(unclean ? ['unclean election allowed'] : []),
  ].join(', ')
}

/** Without what a runtime cannot do: a failing power is then a kill of the process. */
export function forProcesses(lab: RandomLab): RandomLab {
  return {
    ...lab,
    faults: lab.faults.map(fault => (fault.kind === 'power-failure' ? { ...fault, kind: 'kill' } : fault)),
  }
}

export function variantOf(lab: RandomLab, name = 'main'): Variant {
  const { acks, idempotent, partitions, producers, consumers, minInsync, unclean, faults, lengthMs } = lab
  return {
    name,
    summary: settingsInWords(lab),
    role: 'main',
    workload: {
      acks,
      idempotent,
      partitions,
      producers,
      consumers,
      settings: {
        'min.insync.replicas': String(minInsync),
        ...(unclean ? { 'unclean.leader.election.enable': 'true' } : {}),
      },
    },
    script: faultSchedule(faults, lengthMs),
    checks: allChecks,
    expect: 'valid',
  }
}

/** What a cluster is made from. */
export function shellOf(lab: RandomLab): Pick<Lab, 'name' | 'topology' | 'needs' | 'variants'> {
  const { seed, brokers, controllers, faults } = lab
  return {
    name: `random-${seed}`,
    topology: { brokers, controllers, settings: quickFailover },
    needs: needsOf(faults),
    variants: [variantOf(lab)],
  }
}

/** @throws Error that says what is wrong with the document */
export function parseRandomLab(text: string): RandomLab {
  return checkRandomLab(JSON.parse(text))
}

/** @throws Error that says what is wrong with the document */
export function checkRandomLab(value: unknown): RandomLab {
  const document = value as Partial<RandomLab> | null
  if (document?.format !== 'faultline-random-lab' || document.version !== 1)
    throw new Error('expected a document with format "faultline-random-lab" version 1')
  const numbers = [
    'seed',
    'brokers',
    'controllers',
    'partitions',
    'producers',
    'consumers',
    'minInsync',
    'lengthMs',
  ] as const
  for (const name of numbers)
    if (!Number.isSafeInteger(document[name]) || Number(document[name]) < 0)
      throw new Error(`${name}: expected a whole number, got ${JSON.stringify(document[name])}`)
  const lab = document as RandomLab
  for (const name of ['brokers', 'partitions', 'producers'] as const)
    if (lab[name] < 1) throw new Error(`${name}: expected at least 1, got ${lab[name]}`)
  if (![0, 1, -1].includes(lab.acks)) throw new Error(`acks: expected 0, 1 or -1, got ${JSON.stringify(lab.acks)}`)
  for (const name of ['idempotent', 'unclean'] as const)
    if (typeof lab[name] !== 'boolean')
      throw new Error(`${name}: expected true or false, got ${JSON.stringify(lab[name])}`)
  if (!Array.isArray(lab.faults)) throw new Error('faults: expected a list')
  checkSchedule(lab.faults)
  return lab
}
