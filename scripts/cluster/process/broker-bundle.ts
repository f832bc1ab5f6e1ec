/**
 * The broker as one JavaScript file, made from the sources when they changed. Node strips types itself, but some five hundred files and the
 * stripper cost a second of start and 40 MB of memory per broker.
 */
import { existsSync, readdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { BuildOptions } from 'esbuild'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { installation } from '../../installation/here.ts'
import { projectRoot } from '../state.ts'

const sources = join(projectRoot, 'broker')
const folder = join(projectRoot, 'dist', 'process')
const bundle = join(folder, 'broker.cjs')

/** What runs without a bundle, and what the bundle is made of. */
export const brokerMain = join(sources, 'main.ts')

/**
 * How the broker is bundled, here and for its image. As CommonJS: an ES module that imports `node:tls` or `node:crypto` has all of its
 * properties read, and some load a lot when they are (8 MB per broker). Names stay as in the source, so that stack traces can be read.
 */
export const brokerBundleOptions = {
  bundle: true,
  platform: 'node',
  target: 'node26',
  format: 'cjs',
  define: { 'import.meta.url': '__filename' },
  minifyWhitespace: true,
  minifySyntax: true,
} satisfies BuildOptions

function newestSourceMs(): number {
  let newest = statSync(join(projectRoot, 'package-lock.json')).mtimeMs
  for (const entry of readdirSync(sources, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) newest = Math.max(newest, statSync(join(entry.parentPath, entry.name)).mtimeMs)
  return newest
}

/** Found once per command: all of its brokers run from the same file, and to look at every source takes a while. */
let entry: string | undefined

/** The file to start a broker with: the bundle if it is as new as the sources, else the sources. */
export function brokerEntry(): string {
  entry ??= installation.brokerBundle
  entry ??= existsSync(bundle) && statSync(bundle).mtimeMs > newestSourceMs() ? bundle : brokerMain
  return entry
}

/** Makes the bundle if it is missing or old. Without esbuild, a tool of this checkout, brokers run from the sources. */
export async function prepareBrokerBundle(): Promise<void> {
  if (brokerEntry() !== brokerMain) return
  const esbuild = await import('esbuild').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  })
  if (esbuild === undefined) return
  makeFolder(folder)
  // Under a name of its own first: several commands may get here at once.
  const made = join(folder, `broker-${process.pid}.cjs`)
  await esbuild.build({ ...brokerBundleOptions, entryPoints: [brokerMain], outfile: made, logLevel: 'warning' })
  renameSync(made, bundle)
  entry = bundle
}
