/** What is mistyped in the file of a lab is refused with the field that it is in, and what cannot be read with its line and column. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { allChecks } from '#scripts/checkers/check.ts'
import { projectRoot } from '#scripts/cluster/state.ts'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import { lab, type Lab } from '#scripts/labs/lab.ts'
import { runLab } from '#scripts/labs/run.ts'
import type { Script } from '#scripts/labs/script.ts'
import { leaderOf } from '#scripts/labs/targets.ts'
import { smallLab } from './small-lab.ts'

const nothing: Script = () => Promise.resolve()
const good = (script = nothing): Lab =>
  smallLab({ script, checks: allChecks }, { script: nothing, checks: allChecks, expect: ['lost-write'] })

/** The lab with one thing changed, which TypeScript would not let through. */
const withMain = (change: object): unknown => {
  const { variants, ...rest } = good()
  return { ...rest, variants: variants.map((variant, index) => (index === 0 ? { ...variant, ...change } : variant)) }
}
const withTopology = (change: object): unknown => ({ ...good(), topology: { ...good().topology, ...change } })

describe('a lab is refused', () => {
  test.each([
    ['an option that the workload has not', withMain({ workload: { ackz: 1 } }), 'variant main, workload.ackz: there is no such field'], // prettier-ignore
    ['an option of another type', withMain({ workload: { partitions: '3' } }), 'variant main, workload.partitions: expected a number, got "3"'], // prettier-ignore
    ['a field that a variant has not', withMain({ mustHodl: [] }), 'variant main, mustHodl: there is no such field'],
    ['a field that a lab has not', { ...good(), wach: [] }, 'wach: there is no such field'],
    ['a need that there is not', { ...good(), needs: ['killl'] }, 'needs: there is no "killl"'],
    ['a need of a variant', withMain({ needs: ['killl'] }), 'variant main, needs: there is no "killl"'],
    ['no broker', withTopology({ brokers: 0 }), 'topology.brokers: expected a whole number of 1 or more, got 0'],
    ['half a controller', withTopology({ controllers: 0.5 }), 'topology.controllers: expected a whole number of 0'],
    ['a field that the topology has not', withTopology({ broker: 3 }), 'topology.broker: there is no such field'],
    ['a name that is a path', withMain({ name: '../x y' }), 'variants[0].name: expected letters, digits, dots'],
    ['no script', withMain({ script: undefined }), 'variant main, script: expected a function, got undefined'],
  ])('with %s', (_, definition, text) => {
    expect(() => lab(definition as Lab)).toThrow(text)
  })

  test('with a setting that brokers do not know', async () => {
    const mistyped = withTopology({ settings: { 'min.insync.replicaz': '2' } }) as Lab
    const running = runLab(mistyped, { runtime: simulatedRuntime, engine: 'faultline', seed: 1 })
    await expect(running).rejects.toThrow(
      /topology\.settings of lab small-lab is not understood: .*min\.insync\.replicaz/,
    )
  })
})

test('the role of a partition that there cannot be is refused at once', async () => {
  const options = { runtime: simulatedRuntime, engine: 'faultline', seed: 1, variants: ['main'] } as const
  const { variants } = await runLab(
    good(async run => void (await run.kill(leaderOf(77)))),
    options,
  )
  expect(variants[0]?.trouble).toBe('the script: there is no partition 77: lab-main has 3, counted from 0')
})

describe('a file that cannot be read', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'faultline-fields-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test.each([
    ['TypeScript', 'const a: number = 1\nconst = 3\n', '2:7'],
    ['JavaScript', "const a: number = 1\nconst a: string = ''\n", '2:7'],
  ])('is told of with line and column: %s', async (name, text, place) => {
    const file = path.join(folder, `${name}.ts`)
    writeFileSync(file, text)
    // A test runner reads modules in its own way.
    const { stderr, exitCode } = await execa(path.join(projectRoot, 'faultline'), ['lab', 'run', file], {
      reject: false,
    })
    expect(stderr).toContain(`(${file}:${place})`)
    expect(exitCode).toBe(1)
  })
})
