/** The folder that a run writes its report into: of one run at a time, and made before anything is started. */
import { join } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { inTurnOfFile } from '../cluster/file-lock.ts'
import { messageOf, usageError } from '../errors.ts'

const lockName = '.faultline-run'

/**
 * Refuses a folder that cannot be made, or that another run writes into.
 *
 * @param folder  undefined: nothing is written, so nobody is in the way
 * @param elsewhere  how another folder is asked for
 */
export async function inReportFolder<T>(
  folder: string | undefined,
  work: () => Promise<T>,
  elsewhere = '--out DIR',
): Promise<T> {
  if (folder === undefined) return await work()
  let isOurs = false
  try {
    makeFolder(folder)
    return await inTurnOfFile(
      join(folder, lockName),
      async () => {
        isOurs = true
        return await work()
      },
      pid => {
        isOurs = true
        return usageError(
          `Another run${pid === undefined ? '' : ` (process ${pid})`} writes into ${folder}.`,
          `Wait for it, or choose another folder: ${elsewhere}`,
        )
      },
    )
  } catch (error) {
    if (isOurs) throw error
    throw usageError(
      `The report cannot be written into ${folder}: ${messageOf(error)}.`,
      `Choose another: ${elsewhere}`,
    )
  }
}
