import { describe, expect, test } from 'vitest'
import { readFileSync } from 'node:fs'
import { listLabs, loadLab } from '#scripts/labs/run.ts'
import { heldInLosses } from '#scripts/labs/scripts.ts'

const labs = await Promise.all((await listLabs()).map(({ name }) => loadLab(name)))

describe('every lab', () => {
  test.each(labs)('$name begins with its header: setup, fault, expectation and control', ({ name }) => {
    const source = readFileSync(new URL(`../../labs/${name}.ts`, import.meta.url), 'utf8')
    const header = source.slice(0, source.indexOf('*/'))
    expect(header).toMatch(new RegExp(`^/\\*\\*\\n \\* Lab ${name.slice(0, 2)}: .*\\?`))
    for (const part of ['Setup:', 'Fault:', 'Expect:', 'Control:']) expect(header).toContain(` * ${part} `)
  })

  test.each(labs)('$name asks a question with several answers and explains the right one', lab => {
    expect(lab.question).toMatch(/\?$/)
    expect(lab.prediction.choices.length).toBeGreaterThan(1)
    expect(lab.explanation.length).toBeGreaterThan(200)
    expect(lab.watch).not.toEqual([])
    expect(lab.reading).not.toEqual([])
  })
})

describe('a control that may be caught by missing records', () => {
  const controls = labs.flatMap(({ name, variants }) =>
    variants
      .filter(({ role, workload }) => role === 'control' && typeof workload !== 'function')
      .filter(({ expect: expected }) => expected !== 'valid' && expected.includes('unseen'))
      .map(variant => ({ lab: name, ...variant })),
  )
  test.each(controls)('$name of $lab says what a loss leaves as it is', ({ mustHold = [], checks }) => {
    expect(mustHold).toEqual(heldInLosses.filter(name => checks.includes(name)))
  })
})

test('labs/README.md lists every lab', () => {
  const readme = readFileSync(new URL('../../labs/README.md', import.meta.url), 'utf8')
  for (const { name } of labs) expect(readme).toContain(`[${name}](${name}.ts)`)
})

describe('labs are found', () => {
  test('by name, number or an unambiguous beginning', async () => {
    for (const name of ['00-durability', '00', '0', '00-dur', 'durability'])
      expect((await loadLab(name)).name).toBe('00-durability')
    for (const name of ['1', '01']) expect((await loadLab(name)).name).toBe('01-log')
    expect((await loadLab('10')).name).toBe('10-fast-double-failover')
  })
  test('and an unknown or empty name is refused with the names there are', async () => {
    await expect(loadLab('99')).rejects.toMatchObject({
      message: expect.stringContaining('no such lab') as string,
      remedy: expect.stringContaining('00-durability') as string,
    })
    for (const name of ['', ' ']) await expect(loadLab(name)).rejects.toThrow('Which lab? The name is empty.')
  })
})
