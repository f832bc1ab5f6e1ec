/**
 * Exactly once, from topic to topic: what comes out is what went in, as multisets. For a lab to bring along, because only it knows which topics
 * belong together.
 *
 * A record of the output names the one of the input that it was made from (`originOf`: the same value, or `value~attempt`). Records that were
 * certainly written must come out once, those of unknown outcome at most once, those that failed never. What counts as output is what readers
 * of committed records got; the workload must have let the pipeline run dry before the full read at the end.
 *
 * Source: Kafka's system tests, transactions_test (output set equals input set, no duplicates).
 */
import { originOf, topicOf, type Offset, type PartitionName, type Value } from '../history/operation.ts'
import { expired, mustHaveCommitted, type Analysis, type PartitionFacts, type ValueFacts } from './analysis.ts'
import {
  Anomalies,
  countOf,
  entryName,
  sliceAcross,
  unknown,
  verdict,
  type CheckResult,
  type OwnCheck,
} from './result.ts'

export interface Pipeline {
  /** Of the check; default: `exactly-once`. */
  readonly name?: string
  /** Names of topics. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** The input that an output was made from; default: `originOf`. */
  readonly origin?: (output: Value) => Value
}

interface Input {
  must: number
  may: number
  readonly places: { readonly facts: PartitionFacts; readonly value: ValueFacts }[]
}

interface Output {
  readonly facts: PartitionFacts
  readonly value: ValueFacts
  readonly offset: Offset
}

export function exactlyOnce(pipeline: Pipeline): OwnCheck {
  const name = pipeline.name ?? 'exactly-once'
  return { name, judge: analysis => judge(analysis, name, pipeline) }
}

/** The same between topics by the ends of their names, whose beginnings are those of the run: `in`, `out` for `lab-main-in`, `lab-main-out`. */
export function exactlyOnceBetween(input: string, output: string): OwnCheck {
  const name = `exactly-once-${input}-${output}`
  const ending = (analysis: Analysis, end: string) => [
    ...new Set([...analysis.partitions.keys()].map(topicOf).filter(topic => topic.endsWith(`-${end}`))),
  ]
  return {
    name,
    judge: analysis => judge(analysis, name, { inputs: ending(analysis, input), outputs: ending(analysis, output) }),
  }
}

function judge(analysis: Analysis, name: string, pipeline: Pipeline): CheckResult {
  const inputs = inputsOf(analysis, pipeline.inputs)
  const outputs = outputsOf(analysis, pipeline)
  if (![...inputs.values()].some(({ must }) => must > 0))
    return unknown(name, `Nothing was written for certain to ${pipeline.inputs.join(', ')}.`)
  const isWhole = analysis.finalReadFrom !== undefined && analysis.finalRead === 'complete'
  const anomalies = new Anomalies()
  const counts = { missing: 0, repeated: 0, invented: 0 }
  for (const [origin, input] of inputs) {
    const found = outputs.get(origin) ?? []
    if (found.length > input.may) {
      counts.repeated += 1
      anomalies.add(() =>
        tell(analysis, input, found, `${origin} went in ${times(input.may)} and came out ${times(found.length)}`),
      )
    } else if (found.length < input.must && isWhole) {
      counts.missing += 1
      anomalies.add(() =>
        tell(analysis, input, found, `${origin} went in ${times(input.must)} and came out ${times(found.length)}`),
      )
    }
  }
  for (const [origin, found] of outputs) {
    if (inputs.has(origin)) continue
    counts.invented += 1
    anomalies.add(() => tell(analysis, undefined, found, `${origin} came out and never went in`))
  }
  const { missing, repeated, invented } = counts
  const gone = hasExpired(analysis, pipeline.outputs)
  if (missing > 0 && gone && repeated + invented === 0)
    return unknown(name, 'Retention removed records of the output, so what is missing may have been there.')
  if (!isWhole && anomalies.count === 0)
    return unknown(
      name,
      'There was no complete read of everything at the end, so what did not come out may only be late.',
    )
  return verdict(
    name,
    {
      good: `Each of ${countOf(inputs.size, 'record')} of ${pipeline.inputs.join(', ')} came out of ${pipeline.outputs.join(', ')} once.`,
      bad: `Of ${countOf(inputs.size, 'record')} ${missing} did not come out, ${repeated} came out too often, and ${invented} came out that never went in.`,
    },
    anomalies,
    { missing, repeated, invented },
  )
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

function* partitionsOf({ partitions }: Analysis, topics: readonly string[]): Iterable<PartitionFacts> {
  for (const facts of partitions.values()) if (topics.includes(topicOf(facts.name))) yield facts
}

function inputsOf(analysis: Analysis, topics: readonly string[]): Map<Value, Input> {
  const inputs = new Map<Value, Input>()
  for (const facts of partitionsOf(analysis, topics)) {
    for (const value of facts.values.values()) {
      const { write } = value
      if (write?.outcome === 'fail' && value.firstCommittedRead === undefined) continue
      const input = inputs.get(value.value) ?? { must: 0, may: 0, places: [] }
      inputs.set(value.value, input)
      input.may += Math.max(1, value.offsets.length)
      if (write === undefined ? value.firstRead !== undefined : mustHaveCommitted(write))
        input.must += Math.max(1, value.offsets.length)
      input.places.push({ facts, value })
    }
  }
  return inputs
}

function outputsOf(analysis: Analysis, { outputs: topics, origin = originOf }: Pipeline): Map<Value, Output[]> {
  const outputs = new Map<Value, Output[]>()
  for (const facts of partitionsOf(analysis, topics)) {
    for (const value of facts.values.values()) {
      if (value.firstCommittedRead === undefined) continue
      const from = origin(value.value)
      const found = outputs.get(from) ?? []
      outputs.set(from, found)
      for (const offset of value.offsets) found.push({ facts, value, offset })
    }
  }
  return outputs
}

function hasExpired(analysis: Analysis, topics: readonly string[]): boolean {
  return [...partitionsOf(analysis, topics)].some(({ name }) => expired(analysis, name, 0))
}

function tell(analysis: Analysis, input: Input | undefined, found: readonly Output[], what: string) {
  const shown = new Map<PartitionName, Set<Value>>()
  const show = (partition: PartitionName, value: Value) =>
    shown.set(partition, (shown.get(partition) ?? new Set<Value>()).add(value))
  for (const { facts, value } of input?.places ?? []) show(facts.name, value.value)
  for (const { facts, value } of found) show(facts.name, value.value)
  const entries = [...(input?.places ?? []), ...found].flatMap(({ value }) => [
    value.write?.invoked,
    value.write?.completed,
    value.firstCommittedRead,
  ])
  const where = found.map(
    ({ facts, value, offset }) =>
      `${value.value} at offset ${offset} of ${facts.name}${value.write === undefined ? '' : ` by ${entryName(analysis, value.write.completed ?? value.write.invoked)}`}`,
  )
  return {
    explanation: `${what}${where.length > 0 ? `: ${where.join('; ')}` : ''}.`,
    slice: sliceAcross(analysis, entries, shown),
  }
}
