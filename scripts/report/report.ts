/**
 * Writes what a lab gave: `report.html` for people, `result.json` for scripts, `junit.xml` for CI, and `VARIANT.trace.json`, a trace-event file for
 * Perfetto and Chrome.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import type { History } from '../history/operation.ts'
import type { LabResult } from '../labs/result.ts'
import { reportHtml } from './html.ts'
import { junitXml } from './junit.ts'
import { pageScript } from './page-script.ts'
import { formatTrace, traceOf } from './trace.ts'

/** @param histories  one per variant of the result, in the same order */
export async function writeReport(out: string, result: LabResult, histories: readonly History[]): Promise<void> {
  makeFolder(out)
  await Promise.all([
    writeFile(join(out, 'result.json'), `${JSON.stringify(result, null, 2)}\n`),
    writeFile(join(out, 'junit.xml'), junitXml(result)),
    ...result.variants.map(({ name }, index) =>
      writeFile(
        join(out, `${name}.trace.json`),
        formatTrace(traceOf(`${result.lab}, ${name}`, histories[index] ?? [])),
      ),
    ),
  ])
  await writeFile(join(out, 'report.html'), reportHtml(result, histories, await pageScript()))
}
