import { describe, expect, test } from 'vitest'
import { volumeAdvice } from '#scripts/container/volumes.ts'

const probes = {
  uid: 1000,
  owner: (directory: string) => (directory === '/missing' ? undefined : { uid: 0, gid: 0 }),
  isWritable: (directory: string) => directory === '/mine',
}

describe('a volume', () => {
  test('that the user of the container cannot write to is told of, with both ways out', () => {
    const [line, ...others] = volumeAdvice(['/mine', '/data'], probes)
    expect(others).toEqual([])
    expect(line).toMatch(/^\/data belongs to user 0 and group 0, and this container runs as user 1000/)
    expect(line).toContain('chown -R 1000:0')
    expect(line).toContain('--user 0:0')
  })

  test('that is not there yet is the broker’s to make', () => {
    expect(volumeAdvice(['/missing', '/mine'], probes)).toEqual([])
  })
})
