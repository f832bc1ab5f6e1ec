/** Every kind of fault inside a node, in the order of lists. */
import { clockDrift, clockJump, clockStrobe } from './clock-faults.ts'
import { cpuLimit } from './cpu-limit.ts'
import { diskKinds } from './disk-kinds.ts'
import { droppedLink } from './dropped-link.ts'
import type { NodeFaultKind } from './kind.ts'
import { choice, FaultRefused, type NumberParameter } from './parameters.ts'
import { proveCpuLimit, proveDrift, proveJump, proveMemory, proveStall, proveStrobe } from './proofs.ts'

const dayMs = 86_400_000

const offset: NumberParameter = {
  name: 'offset',
  summary: 'how far ahead; negative: behind',
  type: 'number',
  unit: 'ms',
  min: -365 * dayMs,
  max: 365 * dayMs,
  whole: true,
}

const jump: NodeFaultKind = {
  name: 'clock-jump',
  summary: 'the wall clock of the node is off, from one moment to the next',
  heals: 'the clock is right at once; timestamps that were given stay',
  expect:
    'timeouts, elections and heartbeats use monotonic time and go on; timestamps and retention are off, and a leader that is more than message.timestamp.after.max.ms (an hour) behind refuses what its clients stamp (INVALID_TIMESTAMP)',
  lasts: 'machine',
  parameters: [offset],
  problem: ({ offset }) => (offset === 0 ? 'an offset of 0 is no fault' : undefined),
  make: parameters => clockJump({ offsetMs: Number(parameters['offset']) }),
  prove: proveJump,
  provedInPlace: true,
}

const drift: NodeFaultKind = {
  name: 'clock-drift',
  summary: 'the wall clock of the node is too fast or too slow, from now on',
  heals: 'the clock is right at once; timestamps that were given stay',
  expect: 'as with clock-jump: timestamps wander away, and nothing else',
  lasts: 'machine',
  parameters: [
    {
      name: 'rate',
      summary: 'what it gains; negative: loses',
      type: 'number',
      unit: 'ms/s',
      min: -1_000,
      max: 100_000,
    },
  ],
  problem: ({ rate }) => (rate === 0 ? 'a rate of 0 is no fault' : undefined),
  make: parameters => clockDrift({ msPerSecond: Number(parameters['rate']) }),
  prove: proveDrift,
  provedInPlace: true,
}

const strobe: NodeFaultKind = {
  name: 'clock-strobe',
  summary: 'the wall clock of the node jumps there and back all the time',
  heals: 'the clock is right at once; timestamps that were given stay',
  expect: 'as with clock-jump: timestamps that broker or client give are in no order, offsets are',
  lasts: 'machine',
  parameters: [
    offset,
    {
      name: 'period',
      summary: 'how long it is off, and how long right',
      type: 'number',
      unit: 'ms',
      default: 200,
      min: 10,
      max: 10_000,
      whole: true,
    },
  ],
  problem: ({ offset }) => (offset === 0 ? 'an offset of 0 is no fault' : undefined),
  make: parameters => clockStrobe({ offsetMs: Number(parameters['offset']), periodMs: Number(parameters['period']) }),
  prove: proveStrobe,
  provedInPlace: true,
}

const links: NodeFaultKind = {
  name: 'dropped-links',
  summary: 'no byte passes the network card of the node; connections stay open, and what was written waits',
  heals: 'what waited goes on',
  expect:
    'the others elect leaders without it and fence it; its clients time out and go to the new leaders, once they ask who that is (kafkajs: when its metadata is metadataMaxAge old)',
  lasts: 'machine',
  parameters: [
    choice('direction', 'which bytes get lost: those that come, those that go, or both', ['both', 'in', 'out']),
    {
      name: 'port',
      summary: 'only connections that the node itself opens to this port',
      type: 'number',
      unit: 'port',
      optional: true,
      min: 1,
      max: 65_535,
      whole: true,
    },
  ],
  make: parameters =>
    droppedLink({
      ...(parameters['direction'] === 'both' ? {} : { direction: parameters['direction'] as 'in' | 'out' }),
      ...(parameters['port'] === undefined ? {} : { port: Number(parameters['port']) }),
    }),
}

const stall: NodeFaultKind = {
  name: 'stall',
  summary: 'the node does nothing at all for a while, as in a long garbage collection; then it goes on by itself',
  heals: 'it is over when the command returns',
  expect: 'requests take so much longer; beyond its session timeout the node is fenced, and others lead meanwhile',
  lasts: 'moment',
  parameters: [{ name: 'for', summary: 'how long', type: 'number', unit: 'ms', min: 1, max: 60_000, whole: true }],
  make: ({ for: ms }) => ({ kind: 'stall', summary: `the node does nothing for ${String(ms)} ms` }),
  prove: proveStall,
  provedInPlace: true,
}

const chunkBytes = 1 << 24
const MiB = 1 << 20

const memory: NodeFaultKind = {
  name: 'memory-pressure',
  summary: 'the process holds so much more memory, written to, so that it is really taken from the machine',
  heals: 'the memory is given back at once',
  expect: 'the node gets slower when the machine runs short; what it holds never exceeds half of what is free',
  lasts: 'process',
  onlyRealProcess: true,
  parameters: [{ name: 'size', summary: 'how much', type: 'number', unit: 'MiB', min: 1, max: 2_048, whole: true }],
  make({ size }, runtime) {
    const bytes = Number(size) * MiB
    const { freeBytes } = runtime.memory?.() ?? { freeBytes: 0 }
    if (bytes > freeBytes / 2)
      throw new FaultRefused(
        `--size of memory-pressure: ${String(size)} MiB are more than half of the ${Math.floor(freeBytes / MiB)} MiB that are free.`,
        'Take less: the machine has to stay usable.',
      )
    const held: ArrayBuffer[] = []
    for (let left = bytes; left > 0; left -= chunkBytes) {
      const chunk = new ArrayBuffer(Math.min(chunkBytes, left))
      new Uint8Array(chunk).fill(0xa5)
      held.push(chunk)
    }
    return {
      kind: 'memory-pressure',
      summary: `the process holds ${String(size)} MiB more`,
      // Not left to the garbage collector, which comes when it likes.
      healed: () => {
        for (const chunk of held.splice(0)) chunk.transfer(0)
      },
    }
  },
  prove: proveMemory,
  provedInPlace: true,
}

const cpu: NodeFaultKind = {
  name: 'cpu-limit',
  summary: 'the node has so much of a core and no more, as on a machine that is shared with others',
  heals: 'it has what it had before, at once',
  expect:
    'everything takes longer, and what is due at its time comes late: with too little, the node is fenced for heartbeats that it could not send in time',
  lasts: 'machine',
  onlyRealProcess: true,
  parameters: [{ name: 'cores', summary: 'how much', type: 'number', unit: 'cores', min: 0.05, max: 64 }],
  make: ({ cores }, runtime) => cpuLimit(Number(cores), runtime.cpu),
  prove: proveCpuLimit,
  provedInPlace: true,
}

export const nodeFaultKinds: readonly NodeFaultKind[] = [...diskKinds, jump, drift, strobe, links, stall, cpu, memory]

/** Refuses an unknown name with the ones there are. */
export function nodeFaultKind(name: string): NodeFaultKind {
  const kind = nodeFaultKinds.find(candidate => candidate.name === name)
  if (kind !== undefined) return kind
  throw new FaultRefused(
    `There is no fault ${name} inside a node: expected one of ${nodeFaultKinds.map(each => each.name).join(', ')}.`,
  )
}
