/**
 * Histories as files: JSON Lines. The first line says what was run (so that the run can be repeated and judged again), every other line
 * is one operation. Reading is strict: a verdict on half a file would be a wrong verdict.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { codeOf, failure, messageOf, usageError } from '../errors.ts'
import { isRecordOperation, type History, type Operation } from './operation.ts'

/** What was run. `variant` is `main` or the name of the negative control. */
export interface RunDescription {
  readonly lab: string
  readonly variant: string
  readonly runtime: string
  readonly engine: string
  readonly seed: string
  readonly scale: 'quick' | 'full'
  /** Wall time at the start, ISO 8601. The simulator's is virtual. */
  readonly startedAt: string
  /** Release of Apache Kafka, where one was named. */
  readonly engineVersion?: string | undefined
  /** Of a lab that is not one of the installation: its file, with all its folders. */
  readonly labFile?: string | undefined
  /** Of a lab that was drawn from a seed: what was drawn, as in `random.json`. */
  readonly random?: unknown
}

interface Header extends RunDescription {
  readonly format: 'faultline-history'
  readonly version: 1
  /** Operations that follow, a line each; absent in old files, of which nobody can tell whether lines are missing at the end. */
  readonly entries?: number
}

export function formatHistory(run: RunDescription, history: History): string {
  const header: Header = { format: 'faultline-history', version: 1, entries: history.length, ...run }
  return [header, ...history].map(entry => `${JSON.stringify(entry)}\n`).join('')
}

/** @throws Error that names the line, what was expected and what came */
export function parseHistory(text: string, source = 'history'): { run: RunDescription; history: Operation[] } {
  if (text === '') throw new Error(`${source} is empty: expected a header on the first line, then an operation a line`)
  const lines = text.split('\n')
  const unfinished = lines.pop() ?? ''
  const isHeaderCut = lines.length === 0 && unfinished.startsWith('{"format":"faultline-history"')
  const header = isHeaderCut ? undefined : parseHeader(lines[0] ?? unfinished, source)
  if (header === undefined || unfinished !== '')
    throw new Error(`${source} ends in the middle of a line: the run was cut off while writing; run the lab again`)
  const { run, entries } = header
  const history = lines.slice(1).map((line, index) => parseOperation(line, index, source))
  if (entries !== undefined && history.length !== entries)
    throw new Error(
      `${source}: expected ${entries} operations, as its header says, got ${history.length}: ${wrongLength(history.length < entries)}`,
    )
  return { run, history }
}

function wrongLength(isShort: boolean): string {
  return isShort
    ? 'the end is missing; copy the file again, or run the lab again'
    : 'something was added at the end; take the file as it was written'
}

const optionalTexts = ['engineVersion', 'labFile'] as const
const texts = ['lab', 'variant', 'runtime', 'engine', 'seed', 'scale', 'startedAt'] as const

function parseHeader(line: string, source: string): { run: RunDescription; entries: number | undefined } {
  const header = parseLine(line, 1, source) as Partial<Header>
  if (header.format !== 'faultline-history' || header.version !== 1)
    throw new Error(`${source}:1: expected a header with format "faultline-history" version 1, got ${excerpt(line)}`)
  for (const name of texts)
    if (typeof header[name] !== 'string')
      throw new Error(`${source}:1: expected a header that says ${name}, got ${excerpt(line)}`)
  for (const name of optionalTexts)
    if (header[name] !== undefined && typeof header[name] !== 'string')
      throw new Error(`${source}:1: expected a header whose ${name} is a text, got ${excerpt(line)}`)
  const { format: _format, version: _version, entries, ...run } = header as Header
  if (entries !== undefined && !(Number.isInteger(entries) && entries >= 0))
    throw new Error(
      `${source}:1: expected a header whose entries is a whole number, got ${excerpt(JSON.stringify(entries))}`,
    )
  return { run, entries }
}

const types: readonly unknown[] = ['invoke', 'ok', 'fail', 'info'] satisfies Operation['type'][]

function parseOperation(line: string, index: number, source: string): Operation {
  const number = index + 2
  const operation = parseLine(line, number, source) as { readonly [name in keyof Operation]?: unknown }
  const expected = (what: string) => new Error(`${source}:${number}: expected ${what}, got ${excerpt(line)}`)
  if (!Number.isInteger(operation.index)) throw expected('an operation with an index')
  if (operation.index !== index) {
    throw new Error(
      `${source}:${number}: expected the operation with index ${index}, got ${String(operation.index)}: lines are missing`,
    )
  }
  if (typeof operation.timeMs !== 'number') throw expected('an operation with timeMs, a number')
  if (!types.includes(operation.type)) throw expected(`an operation whose type is one of ${types.join(', ')}`)
  if (typeof operation.process !== 'number' && typeof operation.process !== 'string')
    throw expected('an operation with a process, a number or a name')
  if (typeof operation.f !== 'string') throw expected('an operation with f, what was done')
  const read = operation as Operation
  if (isRecordOperation(read) && !(Array.isArray(read.value) && read.value.every(isMicroOp)))
    throw expected(`a ${read.f} whose value is a list of sends and polls`)
  return read
}

/** Of its outer form; what a checker makes of the rest is the checker's. */
function isMicroOp(value: unknown): boolean {
  if (!Array.isArray(value)) return false
  const [name, first, second] = value as unknown[]
  if (name === 'send') return typeof first === 'string' && (typeof second === 'string' || Array.isArray(second))
  return name === 'poll' && (first === undefined || (typeof first === 'object' && first !== null))
}

function parseLine(line: string, number: number, source: string): object {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw new Error(`${source}:${number}: expected one JSON object on the line, got ${excerpt(line)}`, { cause })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new Error(`${source}:${number}: expected one JSON object on the line, got ${excerpt(line)}`)
}

/** The beginning of a line, with whatever a terminal would not show as it is escaped. */
function excerpt(line: string): string {
  if (line === '') return 'an empty line'
  const beginning = line.slice(0, 80)
  return /^[\x20-\x7e]*$/.test(beginning) ? beginning : JSON.stringify(beginning)
}

export async function writeHistory(path: string, run: RunDescription, history: History): Promise<void> {
  await writeFile(path, formatHistory(run, history))
}

const leftThere = 'A lab leaves its histories in its --out directory: VARIANT.history.jsonl'

/** @throws ToolkitError that says what is wrong with the file */
export async function readHistory(path: string): Promise<{ run: RunDescription; history: Operation[] }> {
  try {
    return parseHistory(await readFile(path, 'utf8'), path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw usageError(`There is no file ${path}.`, leftThere)
    if (codeOf(error) === 'EISDIR') throw usageError(`${path} is a folder: expected the file of a history.`, leftThere)
    throw failure(`No history can be read from this file: ${messageOf(error)}`, leftThere, error)
  }
}
