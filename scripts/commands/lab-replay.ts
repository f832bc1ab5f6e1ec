/** `lab replay`: a recorded history is judged again, a random lab is run again. */
import { runtimeByName } from '../cluster/runtimes.ts'
import { usageError } from '../errors.ts'
import { replay, rerun } from '../labs/replay.ts'
import { inReportFolder } from '../labs/report-folder.ts'
import { randomLabOf, replayRandom } from './lab-random.ts'
import { exitCodeOf, verdictText } from './lab-run.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

export interface ReplayLabOptions extends CommonOptions {
  readonly out?: string
  readonly lab?: string
  readonly rerun?: boolean
}

export async function replayLab(what: string, options: ReplayLabOptions, session: Session): Promise<void> {
  const { out, lab } = options
  const random = randomLabOf(what)
  if (random !== undefined) {
    for (const [given, name] of [
      [options.rerun === true, '--rerun'],
      [lab !== undefined, '--lab'],
    ] as const)
      if (given) throw usageError(`${name} goes with a history.`, 'A seed or a random.json is run again without it.')
    await replayRandom(random, out, session)
    return
  }
  const { output, signal } = session
  // No spinner: it turns by the clock that the simulation takes over.
  const progress = (message: string) => output.note(message)
  const result = await inReportFolder(out, async () =>
    options.rerun === true
      ? await rerun(what, { out, lab, progress, signal, simulated: await runtimeByName('simulated') })
      : await replay(what, { out, lab, progress }),
  )
  session.exitCode = exitCodeOf([result.verdict])
  session.output.result(result, () => verdictText(result, out))
}
