/**
 * The script of the page as one text: made from `page/` with the tool that also bundles the broker, once per command. The npm package has it ready
 * as a file.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BuildOptions } from 'esbuild'
import { installation } from '../installation/here.ts'

/** How it is bundled, here and for the package. */
export const pageScriptOptions = {
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2024',
  charset: 'utf8',
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
} satisfies BuildOptions

let made: Promise<string | undefined> | undefined

/** Undefined in a checkout without esbuild, as of `npm ci --omit=dev`. */
export function pageScript(): Promise<string | undefined> {
  made ??= make()
  return made
}

async function make(): Promise<string | undefined> {
  if (installation.pageScript !== undefined) return readFileSync(installation.pageScript, 'utf8')
  const esbuild = await import('esbuild').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  })
  if (esbuild === undefined) return undefined
  const { outputFiles } = await esbuild.build({
    ...pageScriptOptions,
    absWorkingDir: installation.root,
    entryPoints: [join(installation.root, 'scripts', 'report', 'page', 'main.ts')],
    write: false,
    logLevel: 'warning',
  })
  return outputFiles[0]?.text
}
