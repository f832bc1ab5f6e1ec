/** Promise rejections that nobody handles, while a simulation runs: a broker would end there, so the run must fail, not the test runner. */

/** Calls `listener` in place of whoever listened before; returns how to undo it. */
export function catchRejections(listener: (reason: unknown) => void): () => void {
  const before = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', listener)
  return () => {
    process.off('unhandledRejection', listener)
    for (const other of before) process.on('unhandledRejection', other)
  }
}
