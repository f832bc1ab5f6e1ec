/** Faults of the disk meet each other: whatever one has left of a call, the next one has to take. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DiskError, type Disk } from '#broker/environment/environment.ts'
import { diskKinds } from '#broker/environment/faulty/disk-kinds.ts'
import type { Fault } from '#broker/environment/faulty/fault.ts'
import { FaultPlan } from '#broker/environment/faulty/fault-plan.ts'
import { faultyEnvironment, type FaultRuntime } from '#broker/environment/faulty/faulty-environment.ts'
import type { NodeFaultKind } from '#broker/environment/faulty/kind.ts'
import { nodeFaultKind } from '#broker/environment/faulty/node-kinds.ts'
import {
  checkParameters,
  type Parameter,
  type Parameters,
  type ParameterValue,
} from '#broker/environment/faulty/parameters.ts'
import { Prng } from '#simulator/world/prng.ts'
import { harnesses } from '../contracts/harness.ts'

class Crash extends Error {}

const operations = ['read', 'write', 'fsync', 'open', 'rename', 'truncate', 'remove']
/** Small, so that what is counted or filled is met within a few calls. */
const numberMax = 40

function valueOf(parameter: Parameter): fc.Arbitrary<ParameterValue | undefined> {
  switch (parameter.type) {
    case 'number': {
      const { min, max, whole, optional, default: usual } = parameter
      const bounds = { min, max: Math.min(max, min + numberMax) }
      const value = whole === true ? fc.integer(bounds) : fc.double({ ...bounds, noNaN: true })
      return optional === true || usual !== undefined ? fc.option(value, { nil: undefined }) : value
    }
    case 'choice':
      return fc.constantFrom(...parameter.choices)
    case 'flag':
      return fc.boolean()
    case 'text': {
      if (parameter.name === 'path') return fc.constantFrom(undefined, '.', '/b$')
      const known = operations.filter(name => parameter.check?.(name) === undefined)
      return fc.subarray(known, { minLength: 1 }).map(names => names.join(','))
    }
  }
}

interface Order {
  readonly kind: string
  readonly parameters: Parameters
}

/** With complete parameters, as they come out of the check of an order. */
const ordered = (kind: NodeFaultKind): fc.Arbitrary<Order> =>
  fc
    .record(Object.fromEntries(kind.parameters.map(parameter => [parameter.name, valueOf(parameter)])))
    .map(given => Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Parameters)
    .map(given => checkParameters(kind.name, kind.parameters, given))
    .filter(parameters => kind.problem?.(parameters) === undefined)
    .map(parameters => ({ kind: kind.name, parameters }))

const made = ({ kind, parameters }: Order, runtime: FaultRuntime): Fault =>
  nodeFaultKind(kind).make(parameters, runtime)

const anyWrite = fc.array(fc.nat({ max: 9 }), { maxLength: 3 })

/** Every call that a fault may be about. */
function calls(disk: Disk, directory: string, sizes: readonly number[]): (() => unknown)[] {
  const path = `${directory}/b`
  const withFile = (use: (file: ReturnType<Disk['open']>) => void) => () => {
    const file = disk.open(path, 'write')
    try {
      use(file)
    } finally {
      file.close()
    }
  }
  return [
    () => disk.makeDirectory(`${directory}/c`),
    withFile(file => file.write([Buffer.from('begun')], 0)),
    withFile(file =>
      file.write(
        sizes.map(size => Buffer.alloc(size)),
        3,
      ),
    ),
    withFile(file => file.read(Buffer.alloc(8), 0)),
    withFile(file => file.sync()),
    withFile(file => file.truncate(2)),
    withFile(file => file.size()),
    () => disk.rename(path, `${directory}/d`),
    () => disk.remove(`${directory}/d`),
    () => disk.syncDirectory(directory),
    () => disk.list(directory),
    () => disk.stat(path),
    () => disk.space(directory),
  ]
}

const pairs = diskKinds.flatMap(first => diskKinds.map(second => [first, second] as const))
/** What is below the faults changes nothing of this. */
const { run } = harnesses[1]!

test('a node with two faults of its disk gets what it asked for or a DiskError, or ends', () =>
  run(({ environment: base, directory }) => {
    for (const [first, second] of pairs) {
      const property = fc.property(ordered(first), ordered(second), anyWrite, fc.nat(), (one, other, sizes, seed) => {
        const plan = new FaultPlan(new Prng(seed))
        const runtime = {
          stall: (delayMs: number) => expect(delayMs).toBeGreaterThanOrEqual(0),
          crash(reason: string): never {
            throw new Crash(reason)
          },
        }
        const { disk } = faultyEnvironment(base, plan, runtime)
        for (const order of [one, other]) plan.add(made(order, runtime))
        for (let round = 0; round < 3; round++) {
          for (const call of calls(disk, directory, sizes)) {
            try {
              call()
            } catch (error) {
              if (!(error instanceof DiskError || error instanceof Crash)) throw error
            }
          }
        }
      })
      fc.assert(property, { numRuns: 30 })
    }
    return Promise.resolve()
  }))
