/**
 * Writes docs/lab-results.md from the folders of runs over several labs, each a group of columns.
 *
 *   node scripts/labs/lessons/write-results.ts out/matrix out/simulated …
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { projectRoot } from '../../cluster/state.ts'
import { exitCodes } from '../../errors.ts'
import type { Matrix } from '../matrix.ts'
import { resultsPage } from './results-page.ts'

const folders = process.argv.slice(2)
if (folders.length === 0) {
  console.error('Which runs? node scripts/labs/lessons/write-results.ts DIR…, as given to lab run --all --out DIR.')
  process.exitCode = exitCodes.usage
} else {
  const matrices = folders.map(folder => JSON.parse(readFileSync(join(folder, 'matrix.json'), 'utf8')) as Matrix)
  const cores = cpus()
  const machine = `${cores.length} cores (${cores[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${release()}, Node.js ${process.versions.node}`
  writeFileSync(join(projectRoot, 'docs', 'lab-results.md'), resultsPage(matrices, machine))
}
