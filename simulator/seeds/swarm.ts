/**
 * What one seed is about: every knob of a run is drawn from it, the physics, the shape of the cluster, the workload and the faults. Seeds
 * differ a lot on purpose: a bug often needs an unusual mixture, and a mixture that holds everything hides some.
 *
 * Source: Groce et al., "Swarm Testing", 2012; TigerBeetle's simulator.
 */
import type { Access } from '../actors/access.ts'
import { type ActorKind, actorKinds } from '../actors/actors.ts'
import { Prng } from '../world/prng.ts'
import type { WorldSettings } from '../world/settings.ts'
import { diskFaultKinds, type FaultKind, machineFaultKinds } from './fault-kinds.ts'

export interface Swarm {
  readonly settings: Partial<WorldSettings>
  readonly brokers: number
  readonly controllers: number
  /** Log directories of each broker; the first one holds the metadata log, too. */
  readonly logDirs: readonly string[]
  /** Longest pause between two moves of a replica to another log directory, ms; undefined: none. */
  readonly directoryMoveMsMax: number | undefined
  readonly workload: {
    readonly partitions: number
    readonly producers: number
    readonly consumers: number
    readonly recordKeys: number
    readonly recordsPerSendMax: number
    readonly pauseMaxMs: number
    readonly loseOneResponseIn: number
  }
  readonly faults: readonly FaultKind[]
  /** Pause between two faults, ms. */
  readonly calmMsMin: number
  readonly calmMsMax: number
  /** How long a fault lasts, ms. */
  readonly faultMsMin: number
  readonly faultMsMax: number
  /** Length of the phase with faults. */
  readonly safetyMs: number
  /** Longest pause between two reassignments of a partition, ms; undefined: none. */
  readonly moveMsMax: number | undefined
  /** Who else uses the cluster meanwhile. */
  readonly actors: readonly ActorKind[]
  /** Undefined: everybody may do everything. */
  readonly access: Access | undefined
}

/** The first is where a node keeps its data anyway. */
const allLogDirs = ['/data', '/data-2', '/data-3'] as const

export function drawSwarm(seed: number, safetyMs?: number): Swarm {
  const random = new Prng(seed, 'swarm')
  const slow = random.chance(1, 4)
  const latencyUsMin = random.between(50, slow ? 5000 : 500)
  const calmMsMin = random.pick([200, 1000, 3000])
  const faultMsMin = random.pick([100, 500, 2000])
  const controllers = random.pick([0, 0, 0, 3, 1])
  const disks = new Prng(seed, 'disks')
  const logDirs = allLogDirs.slice(0, disks.pick([1, 1, 2, 3]))
  return {
    settings: {
      latencyUsMin,
      latencyUsMax: latencyUsMin + random.between(0, slow ? 20_000 : 1000),
      jitterUsMax: random.pick([0, 200, 2000, 20_000]),
      sliceOneIn: random.pick([0, 0, 2, 10]),
      retransmitTimeoutMs: random.pick([5000, 15_000, 120_000]),
      fsyncUsMin: 50,
      fsyncUsMax: random.pick([500, 5000, 30_000]),
      writebackMs: random.pick([500, 30_000, 3_600_000]),
      directoryLoss: random.pick(['independent', 'ordered'] as const),
    },
    brokers: random.pick([3, 3, 3, 3, 4, 5]),
    controllers,
    logDirs,
    directoryMoveMsMax: logDirs.length > 1 ? disks.pick([undefined, 1_000, 5_000]) : undefined,
    workload: {
      partitions: random.between(1, 4),
      producers: random.between(1, 3),
      consumers: random.between(1, 3),
      recordKeys: random.between(1, 3),
      recordsPerSendMax: random.between(1, 6),
      pauseMaxMs: random.pick([50, 200, 500]),
      loseOneResponseIn: random.pick([0, 0, 10, 50]),
    },
    faults: [...drawFaults(random), ...drawDiskFaults(disks, logDirs.length)],
    calmMsMin,
    calmMsMax: calmMsMin + random.pick([0, 2000, 8000]),
    faultMsMin,
    faultMsMax: faultMsMin + random.pick([500, 4000, 15_000]),
    safetyMs: safetyMs ?? random.between(30, 90) * 1000,
    moveMsMax: new Prng(seed, 'moves').pick([undefined, 1_000, 8_000]),
    actors: drawActors(seed),
    access: drawAccess(new Prng(seed, 'access')),
  }
}

/** Most seeds leave some faults out; a few have none at all, so that a failure without any is seen as such. */
function drawFaults(random: Prng): FaultKind[] {
  if (random.chance(1, 20)) return []
  const chosen = machineFaultKinds.filter(() => random.chance(1, 2))
  return chosen.length > 0 ? chosen : ['kill']
}

/** Half of the seeds have none. A directory that fails for good leaves its replicas elsewhere only where there are others. */
function drawDiskFaults(random: Prng, directories: number): FaultKind[] {
  if (random.chance(1, 2)) return []
  const kinds = diskFaultKinds.filter(kind => kind !== 'disk-error' || directories > 1)
  return kinds.filter(() => random.chance(1, 2))
}

/** At most two, and in one seed of four compaction: each costs time, and what is wrong shows in a small company, too. */
function drawActors(seed: number): ActorKind[] {
  const random = new Prng(seed, 'actors')
  const company = random.shuffle(actorKinds.filter(kind => kind !== 'compaction')).slice(0, random.pick([0, 1, 1, 2]))
  return new Prng(seed, 'compaction').chance(1, 4) ? [...company, 'compaction'] : company
}

/** One seed in four. The workload writes some kilobytes a second: the lower limits hold it back. */
function drawAccess(random: Prng): Access | undefined {
  if (!random.chance(1, 4)) return undefined
  const rates = [undefined, undefined, 2_000, 20_000]
  return { producerByteRate: random.pick(rates), consumerByteRate: random.pick(rates) }
}

/** One line for people. */
export function describeSwarm(swarm: Swarm): string {
  const { brokers, controllers, logDirs, workload, faults, moveMsMax, actors, access } = swarm
  const nodes = controllers === 0 ? `${brokers} combined nodes` : `${brokers} brokers, ${controllers} controllers`
  const { producers, consumers, partitions } = workload
  const moves = moveMsMax === undefined ? '' : '; reassignments'
  const between = swarm.directoryMoveMsMax === undefined ? '' : ', moves between them'
  const directories = logDirs.length === 1 ? '' : `; ${logDirs.length} log directories${between}`
  const company = actors.length === 0 ? '' : `; ${actors.join(', ')}`
  return `${nodes}, ${partitions} partitions, ${producers} producers, ${consumers} consumers; ${faults.join(', ') || 'no faults'}${directories}${moves}${company}${describeAccess(access)}`
}

function describeAccess(access: Access | undefined): string {
  if (access === undefined) return ''
  const { producerByteRate, consumerByteRate } = access
  const limits = [
    ...(producerByteRate === undefined ? [] : [`${producerByteRate} B/s in`]),
    ...(consumerByteRate === undefined ? [] : [`${consumerByteRate} B/s out`]),
  ]
  return `; SASL and ACLs${limits.length === 0 ? '' : `, ${limits.join(', ')}`}`
}
