/** `lab replay`: a recorded history is judged again, a random lab is run again. */
import { runtimeByName } from '../cluster/runtimes.ts'
import { replay } from '../labs/run.ts'
import { randomLabOf, replayRandom } from './lab-random.ts'
import { exitCodeOf, verdictText } from './lab-run.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

export async function replayLab(
  file: string,
  options: CommonOptions & { readonly out?: string },
  session: Session,
): Promise<void> {
  const random = randomLabOf(file)
  if (random !== undefined) {
    await replayRandom(random, options.out, session)
    return
  }
  const simulated = await runtimeByName('simulated')
  const result = await replay(file, { out: options.out, progress: session.output.progress, simulated })
  session.exitCode = exitCodeOf([result.verdict])
  session.output.result(result, () => verdictText(result, options.out))
}
