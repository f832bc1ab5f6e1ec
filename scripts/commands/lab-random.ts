/** `lab random`, `lab shrink`, and the replay of a random lab: labs from a seed, judged by what their settings promise. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Runtime } from '../cluster/cluster.ts'
import { runtimeByName } from '../cluster/runtimes.ts'
import { exitCodes, failure, messageOf, usageError } from '../errors.ts'
import { installation } from '../installation/here.ts'
import { loadLab } from '../labs/load.ts'
import { drawLab, forProcesses, parseRandomLab, type RandomLab } from '../labs/random/random-lab.ts'
import { weakeningNames, type Weakening } from '../labs/random/weakenings.ts'
import { runRandomLab, type RandomOutcome } from '../labs/random/run-random.ts'
import { shrink } from '../labs/random/shrink.ts'
import { labFile } from '../labs/random/write-lab.ts'
import { inReportFolder } from '../labs/report-folder.ts'
import { runLab } from '../labs/run.ts'
import { paint } from '../output.ts'
import { chosen, exitCodeOf, shown } from './lab-run.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

export interface RandomOptions extends CommonOptions {
  readonly seed: number
  readonly count: number
  readonly runtime: string
  readonly weaken: readonly string[]
  readonly out?: string
}

export async function randomLabs(options: RandomOptions, session: Session): Promise<void> {
  if (options.count < 1)
    throw usageError('--count 0 draws no lab: expected a whole number from 1 on.', 'Leave it away to draw one.')
  const runtime = await runtimeByName(chosen('--runtime', options.runtime, ['simulated', 'process'] as const))
  const weaken = options.weaken.map(name => chosen<Weakening>('--weaken', name, weakeningNames))
  const outcomes: RandomOutcome[] = []
  for (let seed = options.seed; seed < options.seed + options.count; seed++) {
    session.signal.throwIfAborted()
    const drawn = drawLab(seed, weaken)
    const lab = runtime.name === 'process' ? forProcesses(drawn) : drawn
    const out = folderOf(options.out, seed, weaken)
    const { signal } = session
    const outcome = await inReportFolder(out, async () => await runRandomLab(lab, { runtime, out, signal }))
    outcomes.push(outcome)
    if (!session.output.json) session.output.line(`${outcomeLine(outcome)}\n  ${againLine(outcome, out)}`)
  }
  session.exitCode = exitCodeOf(outcomes.map(({ verdict }) => verdict))
  session.output.result(outcomes, () => '')
}

/** `random-1`, or `random-1-acks-1`: with a promise given up it is another lab, whose report stands beside the first. */
function folderOf(out: string | undefined, seed: number, weaken: readonly Weakening[] = []): string {
  const name = ['random', seed, ...new Set(weaken)].join('-')
  return join(out ?? join(installation.workplace, 'out', 'labs'), name)
}

const colours = { valid: paint.green, invalid: paint.red, unknown: paint.yellow } as const

function outcomeLine({ lab, verdict, reason }: RandomOutcome): string {
  return `seed ${lab.seed}: ${colours[verdict](verdict.toUpperCase())}  ${lab.faults.length} faults; ${reason}`
}

function againLine({ documented, undocumented }: RandomOutcome, out: string): string {
  const file = shown(join(out, 'random.json'))
  const replay = `${installation.command} lab replay ${file}`
  const hasFailed = documented.length + undocumented.length > 0
  return hasFailed ? `${replay}\n  ${installation.command} lab shrink ${file}` : replay
}

function seedOf(text: string): number {
  const seed = Number(text)
  if (Number.isSafeInteger(seed)) return seed
  throw usageError(`The seed ${text} is too large.`, `Seeds are whole numbers up to ${Number.MAX_SAFE_INTEGER}.`)
}

/** A seed, or the file of a random lab; undefined: neither. */
export function randomLabOf(text: string): RandomLab | undefined {
  if (/^\d+$/.test(text)) return drawLab(seedOf(text))
  if (!existsSync(text))
    throw usageError(
      `There is no file ${text}.`,
      'A lab leaves its histories in its --out directory: VARIANT.history.jsonl; a random lab its random.json.',
    )
  if (!text.endsWith('.json')) return undefined
  try {
    return parseRandomLab(readFileSync(text, 'utf8'))
  } catch (error) {
    throw failure(`${text} is no random lab: ${messageOf(error)}`, 'lab random leaves them as random.json.', error)
  }
}

export async function replayRandom(lab: RandomLab, out: string | undefined, session: Session): Promise<void> {
  const runtime = await runtimeByName('simulated')
  const { signal } = session
  const outcome = await inReportFolder(out, async () => await runRandomLab(lab, { runtime, out, signal }))
  session.exitCode = exitCodeOf([outcome.verdict])
  session.output.result(outcome, () => outcomeLine(outcome))
}

export interface ShrinkCommandOptions extends CommonOptions {
  readonly check?: string
  readonly runs: number
  readonly out?: string
}

export async function shrinkLab(text: string, options: ShrinkCommandOptions, session: Session): Promise<void> {
  if (options.runs < 1)
    throw usageError('--runs 0 tries nothing: expected a whole number from 1 on.', 'Leave it away to try up to 200.')
  const lab = randomLabOf(text)
  if (lab === undefined)
    throw usageError(
      `${text} is no random lab: expected a seed or a random.json.`,
      'lab random leaves them in its --out directory.',
    )
  // Beside the lab that it is made from: with one seed there are several, weakened in different ways.
  const folder = text.endsWith('.json') ? dirname(text) : folderOf(undefined, lab.seed)
  const file = options.out ?? join(folder, `shrunk-${lab.seed}.ts`)
  requireLabFile(file)
  await inReportFolder(dirname(file), async () => await shrinkInto(file, lab, options, session), '--out DIR/shrunk.ts')
}

async function shrinkInto(
  file: string,
  lab: RandomLab,
  options: ShrinkCommandOptions,
  session: Session,
): Promise<void> {
  const runtime = await runtimeByName('simulated')
  const found = async (candidate: RandomLab) => {
    session.signal.throwIfAborted()
    const { documented, undocumented } = await runRandomLab(candidate, { runtime, signal: session.signal })
    return [...undocumented, ...documented]
  }
  const [first, ...others] = await found(lab)
  const check = options.check ?? first
  if (check === undefined || ![first, ...others].includes(check))
    throw failure(
      check === undefined
        ? 'Nothing was found in this lab, so there is nothing to shrink.'
        : `${check} finds nothing in this lab.`,
      first === undefined
        ? 'Draw another one: lab random --seed N --weaken acks-1'
        : `What finds something: ${[first, ...others].join(', ')}.`,
    )
  let isSmaller = false
  const {
    lab: small,
    runs,
    complete,
  } = await shrink(lab, {
    runsMax: options.runs,
    fails: async candidate => (await found(candidate)).includes(check),
    // Written at once: it takes minutes, and whoever interrupts it is to keep what was found until then.
    smaller: (smallest, what) => {
      writeShrunk(smallest, check, file)
      isSmaller = true
      session.output.note(`still found by ${check}: ${what}`)
    },
  }).finally(() => {
    if (session.signal.aborted && isSmaller)
      session.output.note(
        `The smallest so far is in ${shown(file)}; ${installation.command} lab shrink ${shown(dataOf(file))} goes on from there.`,
      )
  })
  writeShrunk(small, check, file)
  const isSame = await isFoundIn(file, small, check, { runtime, session })
  const document = { check, runs, complete, file, lab: small, reproduces: isSame }
  session.exitCode = isSame ? exitCodes.good : exitCodes.unknown
  session.output.result(document, () => shrunkText(document, lab))
}

/** Refuses a file that could not be run as a lab. */
function requireLabFile(file: string): void {
  if (!/[/\\]?[a-z0-9][a-z0-9-]*\.ts$/.test(file))
    throw usageError(`--out ${JSON.stringify(file)}: expected a file like shrunk.ts.`, 'It is a lab of its own.')
}

/** The data of a lab that was made smaller, beside its file. */
function dataOf(file: string): string {
  return file.replace(/\.ts$/, '.json')
}

/** Writes the lab and its data. */
function writeShrunk(lab: RandomLab, check: string, file: string): void {
  const name = (/([a-z0-9][a-z0-9-]*)\.ts$/.exec(file)?.[1] ?? 'shrunk').slice(0, 36)
  writeFileSync(file, labFile(lab, check, name))
  writeFileSync(dataOf(file), `${JSON.stringify(lab, undefined, 2)}\n`)
}

/** Runs the lab that was written, and answers whether the check finds something there too. */
async function isFoundIn(
  file: string,
  lab: RandomLab,
  check: string,
  { runtime, session }: { readonly runtime: Runtime; readonly session: Session },
): Promise<boolean> {
  const written = await loadLab(file.startsWith('/') ? file : `./${file}`)
  const { signal } = session
  const variants = ['main-as-found']
  const result = await runLab(written, { runtime, engine: 'faultline', seed: lab.seed, variants, signal })
  return result.variants[0]?.results.some(({ name: each, valid }) => each === check && valid === false) === true
}

function shrunkText(
  {
    check,
    runs,
    complete,
    file,
    lab,
    reproduces,
  }: { check: string; runs: number; complete: boolean; file: string; lab: RandomLab; reproduces: boolean },
  before: RandomLab,
): string {
  const faults = lab.faults.map(({ atMs, kind, target, forMs }) => `  ${atMs} ms: ${kind} ${target}, for ${forMs} ms`)
  return [
    `${before.faults.length} faults became ${lab.faults.length}, after ${runs} runs${complete ? '' : ' (there is more to try: --runs)'}; ${check} still finds something:`,
    ...faults,
    `  ${lab.brokers} brokers, ${lab.controllers} controllers, ${lab.partitions} partitions, ${lab.producers} producers, ${lab.consumers} consumers, ${lab.lengthMs} ms`,
    `as a lab: ${installation.command} lab run ${shown(file)} --runtime simulated --seed ${lab.seed}`,
    ...(reproduces
      ? []
      : [
          paint.yellow(
            'In that file it is not found any more: it depends on more than the schedule. lab replay on the .json beside it does find it.',
          ),
        ]),
  ].join('\n')
}
