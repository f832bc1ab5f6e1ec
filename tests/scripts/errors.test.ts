/** What the system refuses becomes one sentence with a way out. */
import { mkdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { refusedBySystem } from '#scripts/errors.ts'

function thrownBy(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}

test('a path that cannot be used is named', () => {
  const refused = refusedBySystem(thrownBy(() => mkdirSync('/dev/null/x')))
  expect(refused?.message).toContain('/dev/null/x cannot be used: ENOTDIR')
  expect(refused?.remedy).toContain('FAULTLINE_HOME=DIR')
})

test('a process of somebody else is said to be one', () => {
  const error = Object.assign(new Error('kill EPERM'), { code: 'EPERM', syscall: 'kill' })
  expect(refusedBySystem(error)).toMatchObject({
    exitCode: 1,
    message: expect.stringContaining('another user') as string,
  })
})

test('any other error stays what it is', () => {
  expect(refusedBySystem(new TypeError('x is not a function'))).toBeUndefined()
  expect(refusedBySystem(thrownBy(() => mkdirSync('/proc/faultline')))).toBeUndefined()
})
