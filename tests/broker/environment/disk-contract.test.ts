import { describe, expect, test } from 'vitest'
import type { Disk, DiskError } from '#broker/environment/environment.ts'
import { codeOf, harnesses } from './contracts/harness.ts'

const bytes = (text: string): Buffer => Buffer.from(text)

function content(disk: Disk, path: string): string {
  const file = disk.open(path, 'read')
  const target = Buffer.alloc(file.size())
  file.read(target, 0)
  file.close()
  return target.toString()
}

function put(disk: Disk, path: string, text: string): void {
  const file = disk.open(path, 'write')
  file.write([bytes(text)], 0)
  file.close()
}

describe.each(harnesses)('disk of the $name', ({ run }) => {
  test('a missing file cannot be opened for reading, and is created for writing', () =>
    run(async ({ environment: { disk }, directory }) => {
      expect(codeOf(() => disk.open(`${directory}/a`, 'read'))).toBe('ENOENT')
      disk.open(`${directory}/a`, 'write').close()
      expect(disk.stat(`${directory}/a`)).toMatchObject({ kind: 'file', bytes: 0 })
    }))

  test('a file keeps its content when it is opened for writing again, and that handle can read', () =>
    run(async ({ environment: { disk }, directory }) => {
      put(disk, `${directory}/a`, 'kept')
      const file = disk.open(`${directory}/a`, 'write')
      expect(file.size()).toBe(4)
      const target = Buffer.alloc(10)
      expect(file.read(target, 1)).toBe(3)
      expect(target.subarray(0, 3).toString()).toBe('ept')
      file.close()
    }))

  test('chunks are written one after the other, over page boundaries and over what was there', () =>
    run(async ({ environment: { disk }, directory }) => {
      const file = disk.open(`${directory}/a`, 'write')
      file.write([bytes('a'.repeat(5000)), bytes('b'.repeat(5000)), bytes('')], 0)
      file.write([bytes('X'), bytes('YZ')], 4999)
      file.write([], 3)
      expect(file.size()).toBe(10_000)
      file.close()
      expect(content(disk, `${directory}/a`)).toBe('a'.repeat(4999) + 'XYZ' + 'b'.repeat(4998))
    }))

  test('a write beyond the end leaves a hole of zeros', () =>
    run(async ({ environment: { disk }, directory }) => {
      const file = disk.open(`${directory}/a`, 'write')
      file.write([bytes('end')], 6000)
      const target = Buffer.alloc(6003, 1)
      expect(file.read(target, 0)).toBe(6003)
      expect(target.subarray(0, 6000).every(byte => byte === 0)).toBe(true)
      file.close()
    }))

  test('a read stops at the end of the file', () =>
    run(async ({ environment: { disk }, directory }) => {
      put(disk, `${directory}/a`, 'abc')
      const file = disk.open(`${directory}/a`, 'read')
      expect(file.read(Buffer.alloc(10), 2)).toBe(1)
      expect(file.read(Buffer.alloc(10), 3)).toBe(0)
      expect(file.read(Buffer.alloc(10), 99)).toBe(0)
      file.close()
    }))

  test('a reader sees what a writer appends', () =>
    run(async ({ environment: { disk }, directory }) => {
      const writer = disk.open(`${directory}/a`, 'write')
      const reader = disk.open(`${directory}/a`, 'read')
      writer.write([bytes('abc')], 0)
      expect(reader.size()).toBe(3)
      expect(reader.read(Buffer.alloc(3), 0)).toBe(3)
      writer.close()
      reader.close()
    }))

  test('truncate shortens, and what is written after it starts from zeros', () =>
    run(async ({ environment: { disk }, directory }) => {
      const file = disk.open(`${directory}/a`, 'write')
      file.write([bytes('x'.repeat(9000))], 0)
      file.truncate(10)
      expect(file.size()).toBe(10)
      file.truncate(20)
      expect(file.size()).toBe(20)
      file.close()
      expect(content(disk, `${directory}/a`)).toBe('x'.repeat(10) + '\0'.repeat(10))
    }))

  test('syncLater answers in a later turn, also when the file is closed meanwhile', () =>
    run(async ({ environment: { disk }, directory }) => {
      const file = disk.open(`${directory}/a`, 'write')
      file.write([bytes('abc')], 0)
      let turn = 'same'
      const synced = new Promise<DiskError | undefined>(resolve => {
        file.syncLater(error => {
          expect(turn).toBe('later')
          resolve(error)
        })
      })
      turn = 'later'
      file.close()
      expect(await synced).toBeUndefined()
      expect(codeOf(() => file.write([bytes('x')], 0))).toBe('OTHER')
    }))

  test('syncDirectoryLater answers in a later turn, and needs a directory', () =>
    run(async ({ environment: { disk }, directory }) => {
      put(disk, `${directory}/a`, 'abc')
      let turn = 'same'
      const synced = new Promise<DiskError | undefined>(resolve => {
        disk.syncDirectoryLater(directory, error => {
          expect(turn).toBe('later')
          resolve(error)
        })
      })
      turn = 'later'
      disk.rename(`${directory}/a`, `${directory}/b`)
      expect(await synced).toBeUndefined()
      expect(codeOf(() => disk.syncDirectoryLater(`${directory}/none`, () => {}))).toBe('ENOENT')
    }))

  test('directories are made with their parents, listed with kinds, and removed with all that is in them', () =>
    run(async ({ environment: { disk }, directory }) => {
      disk.makeDirectory(`${directory}/x/y`)
      disk.makeDirectory(`${directory}/x/y`)
      put(disk, `${directory}/x/f`, 'f')
      const names = disk.list(`${directory}/x`).sort((a, b) => (a.name < b.name ? -1 : 1))
      expect(names).toEqual([
        { name: 'f', kind: 'file' },
        { name: 'y', kind: 'directory' },
      ])
      disk.remove(`${directory}/x`)
      disk.remove(`${directory}/x`)
      expect(disk.stat(`${directory}/x/f`)).toBeUndefined()
      expect(codeOf(() => disk.list(`${directory}/x`))).toBe('ENOENT')
    }))

  test('rename replaces a file, moves a directory with its files, and wants its source to exist', () =>
    run(async ({ environment: { disk }, directory }) => {
      put(disk, `${directory}/new`, 'new')
      put(disk, `${directory}/old`, 'old content')
      disk.rename(`${directory}/new`, `${directory}/old`)
      expect(content(disk, `${directory}/old`)).toBe('new')
      expect(disk.stat(`${directory}/new`)).toBeUndefined()
      expect(codeOf(() => disk.rename(`${directory}/new`, `${directory}/old`))).toBe('ENOENT')
      disk.makeDirectory(`${directory}/d`)
      put(disk, `${directory}/d/f`, 'inside')
      disk.rename(`${directory}/d`, `${directory}/e`)
      expect(content(disk, `${directory}/e/f`)).toBe('inside')
      disk.syncDirectory(directory)
    }))

  test('an open file goes on working after it was renamed or removed', () =>
    run(async ({ environment: { disk }, directory }) => {
      const file = disk.open(`${directory}/a`, 'write')
      disk.rename(`${directory}/a`, `${directory}/b`)
      file.write([bytes('abc')], 0)
      expect(content(disk, `${directory}/b`)).toBe('abc')
      disk.remove(`${directory}/b`)
      file.write([bytes('def')], 3)
      expect(file.size()).toBe(6)
      file.close()
    }))

  test('errors carry Kafka-free codes: a file where a directory is wanted, a directory where a file is wanted', () =>
    run(async ({ environment: { disk }, directory }) => {
      put(disk, `${directory}/f`, 'f')
      disk.makeDirectory(`${directory}/d/e`)
      expect(codeOf(() => disk.open(`${directory}/f/x`, 'write'))).toBe('ENOTDIR')
      expect(codeOf(() => disk.open(`${directory}/none/x`, 'write'))).toBe('ENOENT')
      expect(codeOf(() => disk.open(`${directory}/d`, 'write'))).toBe('OTHER')
      expect(codeOf(() => disk.list(`${directory}/none`))).toBe('ENOENT')
      expect(codeOf(() => disk.makeDirectory(`${directory}/f`))).toBe('EEXIST')
      disk.makeDirectory(`${directory}/d2`)
      expect(codeOf(() => disk.rename(`${directory}/d2`, `${directory}/d`))).toBe('ENOTEMPTY')
    }))

  test('space is known also for a directory that is still to be made', () =>
    run(async ({ environment: { disk }, directory }) => {
      const { totalBytes, usableBytes } = disk.space(`${directory}/not/yet`)
      expect(usableBytes).toBeGreaterThan(0)
      expect(totalBytes).toBeGreaterThanOrEqual(usableBytes)
    }))
})
