/** Writes what a lab gave: `report.html` for people, `result.json` for scripts, `junit.xml` for CI. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { History } from '../history/operation.ts'
import type { LabResult } from '../labs/result.ts'
import { reportHtml } from './html.ts'
import { junitXml } from './junit.ts'

/** @param histories  one per variant of the result, in the same order */
export async function writeReport(out: string, result: LabResult, histories: readonly History[]): Promise<void> {
  await mkdir(out, { recursive: true })
  await Promise.all([
    writeFile(join(out, 'report.html'), reportHtml(result, histories)),
    writeFile(join(out, 'result.json'), `${JSON.stringify(result, null, 2)}\n`),
    writeFile(join(out, 'junit.xml'), junitXml(result)),
  ])
}
