/**
 * `make test`: every layer of tests one after the other (they share two cores and some ports), then what was skipped and why, then one
 * closing line `N passed, N failed`. In CI a skipped test is a failed one.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { execa } from 'execa'
import { makeFolder } from '#broker/environment/node/make-folder.ts'

interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numFailedTestSuites: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message?: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages?: readonly string[]
    }[]
  }[]
}

const layers = ['tidy', 'unit', 'simulation', 'conformance', 'cluster']
const root = path.resolve(import.meta.dirname, '..')
const out = path.join(root, 'out', 'test')
const wanted = process.argv.slice(2)
const stranger = wanted.find(layer => !layers.includes(layer))
if (stranger !== undefined) {
  console.error(`test: expected layers from ${layers.join(', ')}, got "${stranger}"`)
  process.exit(2)
}

const durations: { readonly file: string; readonly seconds: number }[] = []

/** Runs one layer and returns its report; a runner that dies without one counts as a failure. */
async function run(layer: string): Promise<VitestReport | undefined> {
  const reportFile = path.join(out, `${layer}.json`)
  rmSync(reportFile, { force: true })
  const started = performance.now()
  const result = await execa(
    'vitest',
    [
      'run',
      '--project',
      layer,
      '--passWithNoTests',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${reportFile}`,
    ],
    {
      cwd: root,
      stdin: 'inherit',
      stdout: ['inherit', 'pipe'],
      stderr: 'inherit',
      reject: false,
      preferLocal: true,
      env: { FORCE_COLOR: '0', NO_COLOR: '1' },
    },
  )
  // The report leaves out what a file does before its first test and after its last one.
  for (const [, file = '', ms] of result.stdout.matchAll(/ \|\w+\| (\S+\.test\.ts) \(.*\) (\d+)ms$/gm))
    durations.push({ file, seconds: Number(ms) / 1000 })
  console.log(
    `test: ${layer} took ${((performance.now() - started) / 1000).toFixed(0)} s, exit code ${result.exitCode}`,
  )
  try {
    return JSON.parse(readFileSync(reportFile, 'utf8')) as VitestReport
  } catch (error) {
    console.error(`test: ${layer} left no report: ${(error as Error).message}`)
    return undefined
  }
}

/** In CI the simulator goes through as many seeds as fit into four minutes, at least forty; each counts as a test. */
async function runSeeds(): Promise<{ passed: number; failed: number }> {
  const args = ['simulator/main.ts', '--seeds', '200', '--budget-ms', '240000', '--least', '40']
  const result = await execa('node', args, {
    cwd: root,
    reject: false,
    preferLocal: true,
    stdout: ['inherit', 'pipe'],
    stderr: 'inherit',
  })
  const counts = /^(\d+) passed, (\d+) failed: /m.exec(result.stdout)
  if (counts === null) return { passed: 0, failed: 1 }
  return { passed: Number(counts[1]), failed: Number(counts[2]) }
}

function firstLine(message = ''): string {
  return message.split('\n', 1)[0]!.slice(0, 200)
}

makeFolder(out)
let passed = 0
let failed = 0
const skipped: string[] = []
const failures: string[] = []
for (const layer of wanted.length > 0 ? wanted : layers) {
  if (layer === 'simulation' && process.env['CI'] === 'true') {
    const seeds = await runSeeds()
    passed += seeds.passed
    failed += seeds.failed
  }
  const report = await run(layer)
  if (report === undefined) {
    failed++
    continue
  }
  passed += report.numPassedTests
  failed += report.numFailedTests
  for (const file of report.testResults) {
    // A file that could not be loaded has no failed test of its own.
    if (file.status === 'failed' && !file.assertionResults.some(test => test.status === 'failed')) {
      failed++
      failures.push(`${layer}: ${path.relative(root, file.name)}: ${firstLine(file.message)}`)
    }
    for (const { fullName, status, failureMessages } of file.assertionResults) {
      if (status === 'failed') failures.push(`${layer}: ${fullName}: ${firstLine(failureMessages?.[0])}`)
      else if (status !== 'passed') skipped.push(`${layer}: ${fullName}`)
    }
  }
}

console.log('test: what took longest (two files may run at a time)')
for (const { file, seconds } of durations.toSorted((one, other) => other.seconds - one.seconds).slice(0, 20))
  console.log(`${seconds.toFixed(0).padStart(5)} s  ${file}`)
for (const name of skipped) console.log(`skipped ${name}`)
// Once more at the end: what a test printed on its way may be thousands of lines above.
for (const failure of failures) console.log(`failed ${failure}`)
if (process.env['CI'] === 'true' && skipped.length > 0) {
  console.log('test: nothing may be skipped in CI')
  failed += skipped.length
}
const summary = `${passed} passed, ${failed} failed`
writeFileSync(path.join(out, 'summary.txt'), `${summary}\n`)
console.log(summary)
process.exit(failed === 0 ? 0 : 1)
