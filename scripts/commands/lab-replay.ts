/** `lab replay`: a recorded history is judged again, a random lab is run again. */
import { runtimeByName } from '../cluster/runtimes.ts'
import { usageError } from '../errors.ts'
import { inReportFolder } from '../labs/report-folder.ts'
import { replay, rerun } from '../labs/run.ts'
import { randomLabOf, replayRandom } from './lab-random.ts'
import { exitCodeOf, verdictText } from './lab-run.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

export interface ReplayLabOptions extends CommonOptions {
  readonly out?: string
  readonly rerun?: boolean
}

export async function replayLab(what: string, options: ReplayLabOptions, session: Session): Promise<void> {
  const { out } = options
  const random = randomLabOf(what)
  if (random !== undefined) {
    if (options.rerun === true)
      throw usageError('--rerun goes with a history.', 'A seed or a random.json is run again without it.')
    await replayRandom(random, out, session)
    return
  }
  const result = await inReportFolder(out, async () =>
    options.rerun === true ? await again(what, out, session) : await replay(what, { out }),
  )
  session.exitCode = exitCodeOf([result.verdict])
  session.output.result(result, () => verdictText(result, out))
}

async function again(file: string, out: string | undefined, { output, signal }: Session) {
  const simulated = await runtimeByName('simulated')
  // A spinner turns by the clock that the simulation takes over.
  return await rerun(file, { out, simulated, signal, progress: message => output.note(message) })
}
