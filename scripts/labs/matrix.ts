/**
 * Labs × engines: each lab on each engine, one after the other. A run that fails is a cell that says so, and the next one begins; what an
 * engine or a runtime cannot do is a cell that was skipped, with the reason, and never a pass.
 */
import type { Availability, RuntimeName } from '../cluster/cluster.ts'
import { engineText, type EngineChoice } from '../cluster/engine-name.ts'
import { messageOf } from '../errors.ts'
import { findingsInWords, type LabResult, type LabVerdict, type LeftOut, type VariantResult } from './result.ts'

export interface MatrixVariant {
  readonly name: string
  readonly role: VariantResult['role']
  /** `valid`, or the findings of which one must be there. */
  readonly expected: string
  /** `valid`, `unknown`, or what was found. */
  readonly actual: string
  readonly asExpected: boolean
  readonly durationMs: number
  /** Of the run itself. */
  readonly trouble?: string
}

export interface MatrixCell {
  readonly lab: string
  /** As `--engine` takes it. */
  readonly engine: string
  readonly verdict: LabVerdict
  /** Only some variants were asked for, and came out as expected. */
  readonly partial?: true
  readonly reason: string
  readonly durationMs: number
  readonly variants: readonly MatrixVariant[]
  /** Variants that the runtime can do nothing with; absent: none. */
  readonly leftOut?: readonly LeftOut[]
  /** Folder of the report of this run. */
  readonly out?: string
}

export interface Matrix {
  readonly runtime: RuntimeName
  readonly seed: number
  /** ISO 8601. */
  readonly startedAt: string
  readonly durationMs: number
  readonly labs: readonly string[]
  readonly engines: readonly string[]
  /** Lab by lab, in the order of `engines`. */
  readonly cells: readonly MatrixCell[]
}

export interface MatrixOptions {
  readonly labs: readonly string[]
  readonly engines: readonly EngineChoice[]
  readonly runtime: RuntimeName
  readonly seed: number
  readonly signal: AbortSignal
  readonly available: (engine: EngineChoice) => Promise<Availability>
  /** Runs a lab from an empty machine and takes everything away again. */
  readonly run: (lab: string, engine: EngineChoice) => Promise<{ readonly result: LabResult; readonly out?: string }>
  /** Told after each cell, with all that there are so far: an interrupt loses only what was on its way. */
  readonly done?: (cell: MatrixCell, soFar: Matrix) => void
}

export async function runMatrix(options: MatrixOptions): Promise<Matrix> {
  const { labs, engines, runtime, seed, signal } = options
  const startedAt = new Date().toISOString()
  const startMs = performance.now()
  const ready = new Map<EngineChoice, Availability>()
  for (const engine of engines) ready.set(engine, await options.available(engine))
  const cells: MatrixCell[] = []
  const soFar = (): Matrix => ({
    runtime,
    seed,
    startedAt,
    durationMs: Math.round(performance.now() - startMs),
    labs,
    engines: engines.map(engineText),
    cells: [...cells],
  })
  for (const lab of labs) {
    for (const engine of engines) {
      signal.throwIfAborted()
      const cell = await cellOf(lab, engine, ready.get(engine), options)
      cells.push(cell)
      options.done?.(cell, soFar())
    }
  }
  return soFar()
}

async function cellOf(
  lab: string,
  engine: EngineChoice,
  availability: Availability | undefined,
  { run, signal }: MatrixOptions,
): Promise<MatrixCell> {
  const place = { lab, engine: engineText(engine), variants: [] }
  if (availability?.available === false)
    return { ...place, verdict: 'skipped', reason: `${availability.missing}. ${availability.remedy}`, durationMs: 0 }
  const startMs = performance.now()
  try {
    const { result, out } = await run(lab, engine)
    const { verdict, partial, reason, durationMs, leftOut } = result
    const variants = result.variants.map(matrixVariant)
    const more = {
      ...(partial === true ? { partial } : {}),
      ...(leftOut === undefined ? {} : { leftOut }),
      ...(out === undefined ? {} : { out }),
    }
    return { ...place, verdict, reason, durationMs, variants, ...more }
  } catch (error) {
    signal.throwIfAborted()
    const durationMs = Math.round(performance.now() - startMs)
    return { ...place, verdict: 'unknown', reason: `The run failed: ${messageOf(error)}`, durationMs }
  }
}

function matrixVariant(variant: VariantResult): MatrixVariant {
  const { name, role, expected, verdict, asExpected, durationMs, trouble } = variant
  return {
    name,
    role,
    expected: expected === 'valid' ? 'valid' : expected.join(' or '),
    actual: verdict === 'invalid' ? findingsInWords(variant) : verdict,
    asExpected,
    durationMs,
    ...(trouble === undefined ? {} : { trouble }),
  }
}
