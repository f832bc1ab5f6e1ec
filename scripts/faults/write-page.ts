/** `make docs`: writes docs/faults.md from the catalogue. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../cluster/state.ts'
import { faultsPage } from './page.ts'

writeFileSync(join(projectRoot, 'docs', 'faults.md'), faultsPage())
