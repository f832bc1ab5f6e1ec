/** What a cluster that runs would be with more brokers: which ids and ports they get, and why it cannot be. */
import { rmSync } from 'node:fs'
import { failure, lacking, messageOf, usageError } from '../errors.ts'
import { brokerIds, nodeIds, type Cluster, type ClusterSpec, type Progress } from './cluster.ts'
import { inTurnOfFile } from './file-lock.ts'
import { findCluster } from './lifecycle.ts'
import { foreignData, removeOutsideData, type OutsideData } from './outside-data.ts'
import { HOST, portIsFree, portsOf, proxiedNodesMax } from './ports.ts'
import { unregister } from './ready.ts'
import { brokersMax } from './spec.ts'
import { nodeDirectory, stateEntry, writeRecord, type ClusterRecord } from './state.ts'

export interface GrowthPlan {
  /** With the brokers that come. */
  readonly spec: ClusterSpec
  /** Their ids. */
  readonly fresh: readonly number[]
}

/** More brokers for a cluster, as far as its files go. */
export interface Growth {
  readonly record: ClusterRecord
  /** Ids of the brokers that come. */
  readonly fresh: readonly number[]
  /** All that is theirs but what runs, and that they are there. */
  write(): void
  /** As it was before. */
  restore(): void
}

/** One command at a time: two would give out the same ids. Its work gets the record as it is when its turn comes, whoever has changed it. */
export async function inTurnToGrow<T>(name: string, work: (record: ClusterRecord) => Promise<T>): Promise<T> {
  // The file is beside the record.
  findCluster(name)
  return await inTurnOfFile(
    stateEntry(name, 'grow.lock'),
    () => work(findCluster(name)),
    pid => failure(`Another command (process ${pid ?? 'unknown'}) is adding brokers to ${name}.`, 'Wait for it.'),
  )
}

/**
 * The last of what is taken back: the controller forgets brokers that are gone. Where no controller can, that is said: they are registered when some of
 * the same ids come again, as if nothing had been.
 */
export async function forgetBrokers(
  ids: readonly number[],
  cluster: Pick<Cluster, 'nodes' | 'clock' | 'kafkaOptions'>,
  progress: Progress | undefined,
): Promise<void> {
  const up = (await cluster.nodes()).filter(
    ({ roles, state }) => roles.includes('broker') && (state === 'running' || state === 'starting'),
  )
  try {
    await unregister(ids, up, cluster.clock, cluster.kafkaOptions())
  } catch (error) {
    if (progress === undefined) throw error
    progress(messageOf(error))
  }
}

/** Refuses what cannot be, before anything is changed. */
export async function planGrowth(
  { spec, phase }: Pick<ClusterRecord, 'spec' | 'phase'>,
  by: number,
): Promise<GrowthPlan> {
  const { name } = spec
  if (phase !== 'up') throw failure(`The cluster ${name} is not up.`, `./faultline up --name ${name} starts it.`)
  if (spec.engine === 'redpanda')
    throw usageError(
      `The cluster ${name} is of Redpanda, and cannot grow here.`,
      'Start it with as many brokers as are needed: ./faultline up --engine redpanda --brokers N',
    )
  const { most, full } = room(spec)
  if (!Number.isInteger(by) || by < 1 || by > most)
    throw usageError(
      most < 1
        ? `The cluster ${name} has ${full}, which is the most there can be.`
        : `--by ${by}: expected a number from 1 to ${most}, as there can be ${full} in all.`,
    )
  const grown = { ...spec, added: (spec.added ?? 0) + by }
  await requireFreshPorts(spec, grown)
  return { spec: grown, fresh: brokerIds(grown).slice(brokerIds(spec).length) }
}

/**
 * The record of a cluster with its new brokers, and how they leave it again.
 *
 * @param outsideOf  what a cluster has outside of its own folder: of what comes, what is there already is somebody's, and stays
 */
export function recordGrowth(
  before: ClusterRecord,
  { spec, fresh }: GrowthPlan,
  outsideOf: (spec: ClusterSpec) => OutsideData,
) {
  const [had, has] = [outsideOf(before.spec), outsideOf(spec)]
  const record = { ...before, spec, foreignData: foreignData(outsideOf, spec, before) }
  return {
    record,
    /** @param now  the record as it is by then */
    forget: (now: ClusterRecord): void => {
      for (const id of fresh) rmSync(nodeDirectory(spec.name, id), { recursive: true, force: true })
      const whole = has.whole.filter(path => !had.whole.includes(path))
      const folders = has.folders.filter(path => !had.folders.includes(path))
      removeOutsideData({ whole, folders }, record.foreignData)
      writeRecord({ ...now, spec: before.spec, foreignData: before.foreignData })
    },
  }
}

/** How many brokers can come, and what it has when none can. */
function room(spec: ClusterSpec): { readonly most: number; readonly full: string } {
  if (spec.proxy === true)
    return { most: proxiedNodesMax - nodeIds(spec).length, full: `${proxiedNodesMax} nodes behind its fault proxy` }
  return { most: brokersMax - brokerIds(spec).length, full: `${brokersMax} brokers` }
}

async function requireFreshPorts(spec: ClusterSpec, grown: ClusterSpec): Promise<void> {
  const had = new Set(portsOf(spec).map(({ port }) => port))
  const wanted = portsOf(grown).filter(({ port }) => !had.has(port))
  const free = await Promise.all(wanted.map(({ port }) => portIsFree(port)))
  const taken = wanted.filter((_, index) => free[index] === false)
  if (taken.length === 0) return
  const list = taken.map(({ port, use }) => `${port} (${use})`).join(', ')
  throw lacking(`Port taken on ${HOST}: ${list}.`, 'Stop what listens there (ss -ltnp shows it).')
}
