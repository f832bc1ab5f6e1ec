/** A lab's verdict as JUnit XML: one suite per lab, one test case per variant, so that CI systems show it. */
import { alsoFound, expectationInWords, type LabResult, type LeftOut, type VariantResult } from '../labs/result.ts'
import { xmlAttribute, xmlText } from './xml.ts'

export function junitXml(result: LabResult): string {
  const { variants, leftOut = [] } = result
  const failures = variants.filter(variant => !variant.asExpected && variant.verdict !== 'unknown').length
  const errors = variants.filter(variant => !variant.asExpected && variant.verdict === 'unknown').length
  const name = xmlAttribute(`${result.lab} on ${result.engine}, ${result.runtime}`)
  const left = leftOut.map(each => leftOutCase(result, each))
  const cases = [...variants.map(variant => testCase(result, variant)), ...left]
  const isNothing = cases.length === 0
  if (isNothing) cases.push(skippedCase(result))
  const skipped = isNothing ? 1 : left.length
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="${name}" tests="${cases.length}" failures="${failures}" errors="${errors}" skipped="${skipped}" time="${(result.durationMs / 1000).toFixed(3)}" timestamp="${result.startedAt}">
${cases.join('\n')}
  </testsuite>
</testsuites>
`
}

function testCase(result: LabResult, variant: VariantResult): string {
  const open = `    <testcase classname="${xmlAttribute(result.lab)}" name="${xmlAttribute(`${variant.name}: ${variant.summary}`)}" time="${(variant.durationMs / 1000).toFixed(3)}"`
  if (variant.asExpected) {
    const besides = besidesOf(variant)
    return besides.length === 0
      ? `${open}/>`
      : `${open}>\n      <system-out>${xmlText(besides.join('\n'))}</system-out>\n    </testcase>`
  }
  const details = variant.results
    .filter(({ valid }) => valid !== true)
    .map(({ name, valid, explanation }) => `${name}: ${valid === false ? 'invalid' : 'unknown'}. ${explanation}`)
  const text = xmlText([variant.trouble ?? '', ...details].filter(line => line !== '').join('\n'))
  const kind = variant.verdict === 'unknown' ? 'error' : 'failure'
  const expected = variant.expected === 'valid' ? 'valid' : expectationInWords(variant)
  const message = xmlAttribute(`expected ${expected}, got ${variant.verdict}`)
  return `${open}>\n      <${kind} message="${message}">${text}</${kind}>\n    </testcase>`
}

/** What a test case that passed has to tell all the same. */
function besidesOf(variant: VariantResult): readonly string[] {
  const others = alsoFound(variant)
  return [
    ...(others.length === 0 ? [] : [`also found: ${others.join(', ')}`]),
    ...(variant.trouble === undefined ? [] : [`the run had trouble: ${variant.trouble}`]),
  ]
}

function leftOutCase(result: LabResult, { name, summary, reason }: LeftOut): string {
  return `    <testcase classname="${xmlAttribute(result.lab)}" name="${xmlAttribute(`${name}: ${summary}`)}"><skipped message="${xmlAttribute(reason)}"/></testcase>`
}

function skippedCase(result: LabResult): string {
  return `    <testcase classname="${xmlAttribute(result.lab)}" name="${xmlAttribute(result.lab)}"><skipped message="${xmlAttribute(result.reason)}"/></testcase>`
}
