/**
 * Labs as a person would run them: real processes, real clients, the expected verdict and its negative controls. On Apache Kafka the labs that
 * need no restart of a node run too, so that what our broker must show is what Kafka shows. Every lab runs in `tests/simulation/labs.test.ts`.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { processRuntime } from '#scripts/cluster/process/runtime.ts'
import type { Engine } from '#scripts/cluster/cluster.ts'
import { replay } from '#scripts/labs/replay.ts'
import { runLab } from '#scripts/labs/run.ts'
import { describeWith } from '../machine.ts'

const labs = [
  '00-durability',
  '01-log',
  '06-isr-and-high-watermark',
  '07-acks-matrix',
  '12-controller-failover',
  '13-idempotent-producer',
  '24-reassignment',
  '30-exactly-once-pipeline',
]
/** Variants that the simulator lacks something for. */
const onProcessesOnly: readonly (readonly [lab: string, variants: readonly string[]])[] = [
  ['26-failing-disks', ['directory-fails', 'directory-fails-alone']],
]
/** Variants for Apache Kafka: starting it takes long, so one promise and one control, without restarts. */
const onKafka: readonly (readonly [lab: string, variants: readonly string[]])[] = [
  ['13-idempotent-producer', ['main', 'not-idempotent']],
]
/** What versions of Kafka differ in: a request that comes late is refused since 4.0, to clients of 4.0. */
const late = ['late-commit', 'late-commit-old-clients', 'late-commit-version-1', 'late-write'] as const

let out: string
beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), 'faultline-labs-'))
})
afterAll(() => rmSync(out, { recursive: true, force: true }))

async function run(lab: string, engine: Engine, variants?: readonly string[], engineVersion?: string) {
  return await runLab(lab, {
    runtime: processRuntime,
    engine,
    engineVersion,
    seed: 1,
    out: join(out, `${engine}-${lab}`),
    variants,
    name: `labs-${lab.slice(0, 2)}`,
  })
}

describe('labs on Faultline processes', () => {
  test.each(labs)('%s keeps its promise, and its controls are caught', async lab => {
    const result = await run(lab, 'faultline')
    expect(result.variants.filter(({ trouble }) => trouble !== undefined)).toEqual([])
    expect(`${result.verdict}: ${result.reason}`).toMatch(/^valid: /)
  })
})

describe('variants that need processes', () => {
  test.each(onProcessesOnly)('%s: they come out as expected', async (lab, variants) => {
    const result = await run(lab, 'faultline', variants)
    const seen = result.variants.map(({ name, asExpected, trouble }) => ({ name, asExpected, trouble }))
    expect(seen).toEqual(variants.map(name => ({ name, asExpected: true, trouble: undefined })))
  })
})

describe('labs on Apache Kafka processes', () => {
  test.each(onKafka)('%s comes out the same', async (lab, variants) => {
    const result = await run(lab, 'apache-kafka', variants)
    expect(`${result.verdict}: ${result.reason}`).toMatch(/^valid: /)
  })
})

describeWith(['java', 'maven'], 'requests that come late, on Apache Kafka', () => {
  test.each([
    ['4.3.1', ['valid', 'invalid', 'invalid', 'valid']],
    ['3.9.1', ['invalid', 'invalid', 'invalid', 'invalid']],
  ])('%s come out as expected of it', async (version, verdicts) => {
    const { variants } = await run('30-exactly-once-pipeline', 'apache-kafka', late, version)
    expect(variants.map(({ verdict, asExpected }) => [verdict, asExpected])).toEqual(
      verdicts.map(verdict => [verdict, true]),
    )
  })
})

describeWith(['java', 'apache-kafka', 'cc'], 'disks that fail, on Apache Kafka', () => {
  test('come out as expected of it: a full one ends the broker, a directory takes its partitions along', async () => {
    const names = ['full', 'directory-fails-alone']
    const { variants } = await run('26-failing-disks', 'apache-kafka', names)
    const seen = variants.map(({ name, asExpected, trouble }) => ({ name, asExpected, trouble }))
    expect(seen).toEqual(names.map(name => ({ name, asExpected: true, trouble: undefined })))
  })
})

describe('what a run leaves', () => {
  test('is a page without any reference to the network, JSON, JUnit and histories that are judged the same again', async () => {
    const folder = join(out, 'faultline-13-idempotent-producer')
    const html = readFileSync(join(folder, 'report.html'), 'utf8')
    expect(html).not.toMatch(/<(script|link|img|iframe)[^>]+(src|href)="(?!data:)/)
    expect(readFileSync(join(folder, 'junit.xml'), 'utf8')).toContain('tests="2" failures="0" errors="0"')
    const recorded = JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8')) as {
      variants: { name: string; results: unknown }[]
    }
    for (const { name, results } of recorded.variants) {
      const again = await replay(join(folder, `${name}.history.jsonl`))
      expect(JSON.parse(JSON.stringify(again.variants[0]?.results))).toEqual(results)
    }
  })
})
