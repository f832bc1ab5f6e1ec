/** Which lanes there are, how high each is and where: from a run and a filter, for a width. */
import type { Run } from '../model/run.ts'
import type { FaultData } from '../model/run-data.ts'
import type { Filter } from './filter.ts'

export type RowKind =
  | { readonly kind: 'axis' }
  | { readonly kind: 'steps' }
  | { readonly kind: 'faults'; readonly lanes: readonly (readonly number[])[] }
  | { readonly kind: 'heading' }
  | { readonly kind: 'broker'; readonly index: number }
  | { readonly kind: 'leader'; readonly partition: number }
  | { readonly kind: 'in-sync'; readonly partition: number; readonly replica: number }
  | { readonly kind: 'offsets'; readonly partition: number }
  | { readonly kind: 'client'; readonly client: number }
  | { readonly kind: 'group'; readonly index: number }
  | { readonly kind: 'marks' }
  | { readonly kind: 'latency' }
  | { readonly kind: 'throughput' }

export type Row = RowKind & {
  readonly y: number
  readonly height: number
  readonly label: string
}

export interface Layout {
  readonly width: number
  readonly height: number
  /** Where lanes begin, behind their labels, and end. */
  readonly left: number
  readonly right: number
  readonly rows: readonly Row[]
}

const faultLanesMax = 6
/** More partitions than this, and the offsets of each are shown only when it is chosen. */
const offsetsMax = 6

export const heights = {
  axis: 20,
  step: 18,
  fault: 18,
  heading: 26,
  broker: 18,
  leader: 20,
  'in-sync': 7,
  offsets: 76,
  client: 20,
  group: 50,
  marks: 16,
  latency: 130,
  throughput: 100,
} as const

export function layoutOf(run: Run, filter: Filter, width: number): Layout {
  const { data } = run
  const rows: Row[] = []
  let y = 0
  const add = (row: RowKind, height: number, label = '') => {
    rows.push({ ...row, y, height, label })
    y += height
  }
  const heading = (text: string) => add({ kind: 'heading' }, heights.heading, text)
  add({ kind: 'axis' }, heights.axis, 'time')
  add({ kind: 'steps' }, heights.step, 'steps')
  const lanes = faultLanes(data.faults)
  if (lanes.length > 0) add({ kind: 'faults', lanes }, heights.fault * lanes.length + 4, 'faults')
  if (data.brokers.length > 0) {
    heading('Brokers')
    data.brokers.forEach(({ id }, index) => add({ kind: 'broker', index }, heights.broker, `broker ${id}`))
  }
  const clients = data.clients
    .map((_, client) => client)
    .filter(client => (filter.client ?? client) === client)
    .sort((a, b) => byName(data.clients[a]?.name, data.clients[b]?.name))
  if (clients.length > 0) {
    heading('Clients')
    for (const client of clients) add({ kind: 'client', client }, heights.client, data.clients[client]?.name)
  }
  if (data.marks.some(({ client }) => client === undefined)) add({ kind: 'marks' }, heights.marks, 'other')
  partitions(run, filter, heading, add)
  if (data.groups.length > 0) {
    heading('Lag of groups')
    data.groups.forEach(({ name }, index) => add({ kind: 'group', index }, heights.group, name))
  }
  if (run.length > 0) {
    heading('Latency and throughput')
    add({ kind: 'latency' }, heights.latency, 'latency')
    add({ kind: 'throughput' }, heights.throughput, 'records/s')
  }
  add({ kind: 'axis' }, heights.axis, '')
  const left = width < 560 ? 84 : 132
  return { width, height: y, left, right: Math.max(left + 40, width - 12), rows }
}

/** `producer-2` before `producer-10`. */
function byName(one = '', other = ''): number {
  const [, name = '', number = ''] = /^(.*?)(\d*)$/.exec(one) ?? []
  const [, otherName = '', otherNumber = ''] = /^(.*?)(\d*)$/.exec(other) ?? []
  return name === otherName ? Number(number) - Number(otherNumber) : name < otherName ? -1 : 1
}

function partitions(
  run: Run,
  filter: Filter,
  heading: (text: string) => void,
  add: (row: RowKind, height: number, label?: string) => void,
): void {
  const all = run.data.partitions
  const shown = all.map((_, partition) => partition).filter(partition => (filter.partition ?? partition) === partition)
  const withLeaders = shown.filter(partition => (all[partition]?.leaders.length ?? 0) > 0)
  if (withLeaders.length === 0) return
  heading('Partitions')
  for (const partition of withLeaders) {
    const { name, replicas, series } = all[partition] as (typeof all)[number]
    add({ kind: 'leader', partition }, heights.leader, name.replace(/^lab-/, ''))
    for (const replica of replicas) add({ kind: 'in-sync', partition, replica }, heights['in-sync'], '')
    if (series.length > 0 && (withLeaders.length <= offsetsMax || filter.partition === partition))
      add({ kind: 'offsets', partition }, heights.offsets, '')
  }
}

/** Faults that overlap lie in lanes of their own; what no lane is left for goes into the last. */
export function faultLanes(faults: readonly FaultData[]): number[][] {
  const lanes: { faults: number[]; endMs: number }[] = []
  faults.forEach((fault, index) => {
    if (fault.mends) return
    let lane = lanes.find(({ endMs }) => endMs <= fault.fromMs)
    if (!lane && lanes.length < faultLanesMax) lanes.push((lane = { faults: [], endMs: 0 }))
    lane ??= lanes.at(-1) as (typeof lanes)[number]
    lane.faults.push(index)
    lane.endMs = Math.max(lane.endMs, fault.toMs)
  })
  return lanes.map(lane => lane.faults)
}

export function rowAt(layout: Layout, y: number): Row | undefined {
  return layout.rows.find(row => y >= row.y && y < row.y + row.height)
}
