/** Work on several nodes at the same time, where what comes next may begin only when none of it is under way any more. */
import { messageOf, ToolkitError } from './errors.ts'

/** Like Promise.all, but also where some of it fails it is over only when all of it has ended. Rejects with the first error in the list. */
export async function untilAllEnded<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const ended = await Promise.allSettled(work)
  return ended.map(each => {
    if (each.status === 'rejected') throw each.reason
    return each.value
  })
}

/** An error with something half done that could not be undone either. */
export class NotTakenBack extends ToolkitError {}

/** Undoes what an error has left half done. @returns what to throw: the error, which one of the undoing is added to and never hides */
export async function takingBack(error: unknown, undo: () => Promise<unknown>): Promise<unknown> {
  try {
    await undo()
    return error
  } catch (more) {
    const { exitCode, remedy } = error instanceof ToolkitError ? error : { exitCode: 1 as const, remedy: undefined }
    const remedies = [remedy, more instanceof ToolkitError ? more.remedy : undefined]
    return new NotTakenBack(exitCode, `${messageOf(error)}\nIt could not be taken back: ${messageOf(more)}`, {
      remedy: remedies.find(each => each !== undefined),
      cause: error,
    })
  }
}
