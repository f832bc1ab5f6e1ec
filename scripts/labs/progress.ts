/**
 * What a person has done of the labs: predictions, last verdicts. A small file in the user's state directory (XDG_STATE_HOME, else
 * ~/.local/state), `faultline/labs.json`, which belongs to nobody else and may be deleted at any time.
 */
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { codeOf, failure, messageOf } from '../errors.ts'
import { replaceFile } from '../replace-file.ts'
import type { LabResult, LabVerdict } from './result.ts'

export interface LabProgress {
  /** Runs of the whole lab, not of single variants. */
  readonly runs: number
  /** Of the first prediction: later ones are made by somebody who knows. Absent: nobody predicted. */
  readonly prediction?: 'right' | 'wrong'
  readonly verdict: LabVerdict
  readonly engine: string
  readonly runtime: string
  /** ISO 8601. */
  readonly lastRunAt: string
}

export type Progress = Readonly<Record<string, LabProgress>>

interface Document {
  readonly format: 'faultline-lab-progress'
  readonly version: 1
  readonly labs: Progress
}

/** Done: the lab came out as it should, at the last run. */
export function isDone(progress: LabProgress | undefined): boolean {
  return progress?.verdict === 'valid'
}

/** As the XDG base directory specification has it: a relative XDG_STATE_HOME is ignored. */
export function progressFile(environment: NodeJS.ProcessEnv = process.env): string {
  const state = environment['XDG_STATE_HOME']
  const base = state !== undefined && isAbsolute(state) ? state : join(homedir(), '.local', 'state')
  return join(base, 'faultline', 'labs.json')
}

/** Nothing was done where there is no file. @throws ToolkitError when what is there cannot be read */
export function readProgress(file = progressFile()): Progress {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return {}
    throw failure(`What was done of the labs cannot be read: ${messageOf(error)}`, undefined, error)
  }
  const found = parsed(text)
  if (found === undefined)
    throw failure(`${file} is not what the toolkit wrote.`, `Remove it: what was done of the labs is then forgotten.`)
  return found.labs
}

function parsed(text: string): Document | undefined {
  try {
    const document = JSON.parse(text) as Partial<Document> | null
    const isOurs = document?.format === 'faultline-lab-progress' && document.version === 1
    return isOurs && typeof document.labs === 'object' ? (document as Document) : undefined
  } catch {
    // Whatever it is, it is not ours; the caller says so.
    return undefined
  }
}

/** The progress after one more run of the whole lab. */
export function withRun(progress: Progress, result: LabResult): Progress {
  const before = progress[result.lab]
  const { chosen, answer } = result.prediction
  const now = chosen === undefined ? undefined : chosen === answer ? ('right' as const) : ('wrong' as const)
  const prediction = before?.prediction ?? now
  const engine = result.engineVersion === undefined ? result.engine : `${result.engine}:${result.engineVersion}`
  return {
    ...progress,
    [result.lab]: {
      runs: (before?.runs ?? 0) + 1,
      ...(prediction === undefined ? {} : { prediction }),
      verdict: result.verdict,
      engine,
      runtime: result.runtime,
      lastRunAt: result.startedAt,
    },
  }
}

/** Adds a run to the file, in one step: who reads meanwhile sees the file before or after. */
export function rememberRun(result: LabResult, file = progressFile()): void {
  const document: Document = { format: 'faultline-lab-progress', version: 1, labs: withRun(readProgress(file), result) }
  makeFolder(dirname(file))
  replaceFile(file, `${JSON.stringify(document, undefined, 2)}\n`)
}
