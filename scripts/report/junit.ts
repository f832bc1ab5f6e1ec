/** A lab's verdict as JUnit XML: one suite per lab, one test case per variant, so that CI systems show it. */
import type { LabResult, VariantResult } from '../labs/result.ts'
import { escape } from './text.ts'

export function junitXml(result: LabResult): string {
  const failures = result.variants.filter(variant => !variant.asExpected && variant.verdict !== 'unknown').length
  const errors = result.variants.filter(variant => !variant.asExpected && variant.verdict === 'unknown').length
  const skipped = result.verdict === 'skipped' ? 1 : 0
  const name = escape(`${result.lab} on ${result.engine}, ${result.runtime}`)
  const cases =
    result.variants.length > 0 ? result.variants.map(variant => testCase(result, variant)) : [skippedCase(result)]
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="${name}" tests="${Math.max(1, result.variants.length)}" failures="${failures}" errors="${errors}" skipped="${skipped}" time="${(result.durationMs / 1000).toFixed(3)}" timestamp="${result.startedAt}">
${cases.join('\n')}
  </testsuite>
</testsuites>
`
}

function testCase(result: LabResult, variant: VariantResult): string {
  const open = `    <testcase classname="${escape(result.lab)}" name="${escape(`${variant.name}: ${variant.summary}`)}" time="${(variant.durationMs / 1000).toFixed(3)}"`
  if (variant.asExpected) return `${open}/>`
  const expected = variant.expected === 'valid' ? 'valid' : `a finding of ${variant.expected.join(' or ')}`
  const details = variant.results
    .filter(({ valid }) => valid !== true)
    .map(({ name, valid, explanation }) => `${name}: ${valid === false ? 'invalid' : 'unknown'}. ${explanation}`)
  const text = escape([variant.trouble ?? '', ...details].filter(line => line !== '').join('\n'))
  const kind = variant.verdict === 'unknown' ? 'error' : 'failure'
  return `${open}>\n      <${kind} message="${escape(`expected ${expected}, got ${variant.verdict}`)}">${text}</${kind}>\n    </testcase>`
}

function skippedCase(result: LabResult): string {
  return `    <testcase classname="${escape(result.lab)}" name="${escape(result.lab)}"><skipped message="${escape(result.reason)}"/></testcase>`
}
