/** `log repair`: shows what would be done, asks, does it, and checks again. */
import { basename, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { nodeDisk } from '#broker/environment/node/disk.ts'
import { exitCodes, usageError } from '../errors.ts'
import { takeDirectory } from '../log-files/in-use.ts'
import { parentOf } from '../log-files/places.ts'
import { problemText } from '../log-files/problems.ts'
import type { Plan } from '../log-files/repair.ts'
import { allProblems, planRepair, remedyText, repair } from '../log-files/repair.ts'
import { repairScope, verifyIn } from '../log-files/verify-place.ts'
import { dataAt, partitionAt } from '../log-files/places.ts'
import { paint } from '../output.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

interface RepairOptions extends CommonOptions {
  readonly yes?: boolean
  readonly setAsideDamagedBatches?: boolean
  readonly backup?: string
}

export async function repairLog(path: string, options: RepairOptions, session: Session): Promise<void> {
  const { output } = session
  const scope = repairScope(nodeDisk, resolve(path))
  const root = scope.data.path
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-')
  const backup = resolve(options.backup ?? `${parentOf(root)}/${basename(root)}-before-repair-${stamp}`)
  if (`${backup}/`.startsWith(`${root}/`))
    throw usageError(
      `The backup ${backup} would lie in the data directory, where Apache Kafka would take it for a log.`,
    )
  const lock = takeDirectory(nodeDisk, scope.data)
  try {
    const setAsideDamagedBatches = options.setAsideDamagedBatches === true
    const verify = () => {
      const partitions = scope.data.partitions.map(partition => partitionAt(nodeDisk, partition.path))
      const { files } = dataAt(nodeDisk, root)
      const data = { ...scope.data, partitions, files: scope.data.files.length === 0 ? [] : files }
      return verifyIn(nodeDisk, { data, isPart: scope.isPart }, { records: false, progress: output.progress })
    }
    const before = allProblems(verify())
    const plan = planRepair(before, { setAsideDamagedBatches })
    output.note(planText(plan, backup))
    if (plan.remedies.length === 0) {
      if (plan.left.length > 0) session.exitCode = exitCodes.failed
      output.result(documentOf(plan, [], undefined), () => '')
      return
    }
    if (options.yes !== true) await ask(session)
    const done = repair(nodeDisk, { setAsideDamagedBatches, backup, root }, verify)
    const left = allProblems(verify()).filter(({ severity }) => severity === 'damage')
    if (left.length > 0) session.exitCode = exitCodes.failed
    output.result(documentOf(plan, done.map(remedyText), backup, left.map(problemText)), () =>
      [
        ...done.map(remedy => `done: ${remedyText(remedy)}`),
        ...left.map(problem => paint.red(`left: ${problemText(problem)}`)),
        `What was removed or replaced is in ${backup}.`,
      ].join('\n'),
    )
  } finally {
    lock.release()
  }
}

function planText({ remedies, left }: Plan, backup: string): string {
  if (remedies.length === 0 && left.length === 0) return 'Nothing is damaged: there is nothing to repair.'
  const lines =
    remedies.length === 0 ? [] : ['This would be done:', ...remedies.map(remedy => `  ${remedyText(remedy)}`)]
  if (remedies.some(({ kind }) => kind === 'cut' || kind === 'set-aside'))
    lines.push('  then check again what is derived from the batches, and rebuild what does not fit any more')
  for (const { problem, why } of left) lines.push(`Left as it is: ${problemText(problem)}`, `  ${why}`)
  if (remedies.length > 0) lines.push(`What goes is kept in ${backup}.`)
  return lines.join('\n')
}

async function ask({ output, signal }: Session): Promise<void> {
  if (!process.stdin.isTTY || output.json)
    throw usageError('Nothing was changed: nobody can be asked here.', 'Say --yes to do what is listed.')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await terminal.question('Do it? Type yes: ', { signal })
    if (answer.trim() !== 'yes') throw usageError(`Nothing was changed: expected "yes", got ${JSON.stringify(answer)}.`)
  } finally {
    terminal.close()
  }
}

function documentOf(
  plan: Plan,
  done: readonly string[],
  backup: string | undefined,
  left: readonly string[] = plan.left.map(({ problem }) => problemText(problem)),
) {
  return { planned: plan.remedies.map(remedyText), done, left, backup }
}
