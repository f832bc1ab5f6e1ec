/** `lab replay`: a recorded history is judged again. */
import { existsSync } from 'node:fs'
import { runtimeByName } from '../cluster/runtimes.ts'
import { usageError } from '../errors.ts'
import { replay } from '../labs/run.ts'
import { exitCodeOf, verdictText } from './lab-run.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

export async function replayLab(
  file: string,
  options: CommonOptions & { readonly out?: string },
  session: Session,
): Promise<void> {
  if (!existsSync(file))
    throw usageError(
      `There is no file ${file}.`,
      'A lab leaves its histories in its --out directory: VARIANT.history.jsonl',
    )
  const simulated = await runtimeByName('simulated')
  const result = await replay(file, { out: options.out, progress: session.output.progress, simulated })
  session.exitCode = exitCodeOf([result.verdict])
  session.output.result(result, () => verdictText(result, options.out))
}
