/** `lab run --watch` in a session that is over; how it watches is tested with the command as a whole. */
import { expect, test } from 'vitest'
import { watchLab } from '#scripts/commands/lab-watch.ts'
import { Output } from '#scripts/output.ts'

test('nothing is watched once the session was interrupted: nothing would end it', async () => {
  const session = { signal: AbortSignal.abort(new Error('interrupted before')), output: new Output(false) }
  const run = () => Promise.reject(new Error('nobody should run it'))
  await expect(watchLab('./mine.ts', session, run)).rejects.toThrow('interrupted before')
})
