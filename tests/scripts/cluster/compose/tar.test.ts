import fc from 'fast-check'
import { expect, test } from 'vitest'
import { archiveOf, firstFile } from '#scripts/cluster/compose/tar.ts'

test('a file goes into an archive and comes out as it was', () => {
  const ids = fc.integer({ min: 0, max: 0o7777777 })
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 2_000 }),
      ids,
      ids,
      fc.integer({ min: 0, max: 0o777 }),
      (bytes, uid, gid, mode) => {
        const file = { content: Buffer.from(bytes), uid, gid, mode }
        const archive = archiveOf('rules', file)
        expect(archive.length % 512).toBe(0)
        expect(firstFile(archive)).toEqual(file)
      },
    ),
  )
})

test('what is no plain file is passed over: folders, and headers that say more about the next entry', () => {
  const file = { content: Buffer.from('x'), uid: 1000, gid: 0, mode: 0o600 }
  const extended = Buffer.from(archiveOf('more', { ...file, content: Buffer.alloc(700, 'a') }).subarray(0, 3 * 512))
  extended.write('x', 156)
  expect(firstFile(Buffer.concat([extended, archiveOf('rules', file)]))).toEqual(file)
  expect(firstFile(extended)).toBeUndefined()
  expect(firstFile(Buffer.alloc(1024))).toBeUndefined()
  expect(() => firstFile(archiveOf('cut', { ...file, content: Buffer.alloc(5_000) }).subarray(0, 1024))).toThrow(
    'cut off',
  )
})
