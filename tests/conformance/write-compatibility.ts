/** `make docs`: takes in what the newest conformance run saw and writes docs/compatibility.md. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { format } from 'prettier'
import {
  compatibilityPage,
  evidenceFolder,
  type Evidence,
  mergeProofs,
  pageFile,
  type Proofs,
  proofsFile,
} from './compatibility-page.ts'

const evidence = existsSync(evidenceFolder)
  ? readdirSync(evidenceFolder)
      .filter(file => file.endsWith('.json'))
      .map(file => JSON.parse(readFileSync(path.join(evidenceFolder, file), 'utf8')) as Evidence)
  : []
const earlier = existsSync(proofsFile) ? (JSON.parse(readFileSync(proofsFile, 'utf8')) as Proofs) : {}
const proofs = mergeProofs(earlier, evidence)
writeFileSync(proofsFile, await format(JSON.stringify(proofs), { parser: 'json', printWidth: 120 }))
writeFileSync(pageFile, compatibilityPage(proofs))
console.log(`docs/compatibility.md: ${evidence.length} new pieces of evidence, ${Object.keys(proofs).length} tests`)
