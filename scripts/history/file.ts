/**
 * Histories as files: JSON Lines. The first line says what was run (so that the run can be repeated and judged again), every other line
 * is one operation. Reading is strict: a verdict on half a file would be a wrong verdict.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { codeOf, failure, messageOf, usageError } from '../errors.ts'
import type { History, Operation } from './operation.ts'

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
}

interface Header extends RunDescription {
  readonly format: 'faultline-history'
  readonly version: 1
}

export function formatHistory(run: RunDescription, history: History): string {
  const header: Header = { format: 'faultline-history', version: 1, ...run }
  return [header, ...history].map(entry => `${JSON.stringify(entry)}\n`).join('')
}

/** @throws Error that names the line, what was expected and what came */
export function parseHistory(text: string, source = 'history'): { run: RunDescription; history: Operation[] } {
  if (!text.endsWith('\n'))
    throw new Error(`${source} ends in the middle of a line: the run was cut off while writing; run the lab again`)
  const lines = text.split('\n').slice(0, -1)
  const [first, ...rest] = lines.map((line, index) => parseLine(line, index + 1, source))
  const header = first as Partial<Header> | undefined
  if (header?.format !== 'faultline-history' || header.version !== 1) {
    throw new Error(
      `${source}:1: expected a header with format "faultline-history" version 1, got ${lines[0]?.slice(0, 80) ?? 'nothing'}`,
    )
  }
  const { format: _format, version: _version, ...run } = header as Header
  const history = rest as Operation[]
  for (const [index, operation] of history.entries()) {
    if (operation.index !== index) {
      throw new Error(
        `${source}:${index + 2}: expected the operation with index ${index}, got ${operation.index}: lines are missing`,
      )
    }
  }
  return { run, history }
}

function parseLine(line: string, number: number, source: string): unknown {
  try {
    return JSON.parse(line)
  } catch (cause) {
    throw new Error(`${source}:${number}: expected one JSON object on the line, got ${line.slice(0, 80)}`, { cause })
  }
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
    throw failure(`No history can be read from this file: ${messageOf(error)}`, leftThere, error)
  }
}
