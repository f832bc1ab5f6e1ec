/**
 * How the modules of a lab of somebody's own are found: `faultline/lab` is that of this installation, whatever folder the lab lies in. And a lab
 * that is loaded again is loaded with all that it imports: Node.js keeps modules by their URL, so each loading has a number in it, which every
 * import of a file of theirs inherits.
 */
import { registerHooks } from 'node:module'
import { join, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { installation } from '../installation/here.ts'

const parameter = 'faultline-loading'

/** By the number of the loading: who is told of each file that is imported. */
const listeners = new Map<string, (file: string) => void>()

/**
 * The URL of a lab's file.
 *
 * @param version  0: as it may have been loaded before; another number loads it anew, with its imports
 * @param imported  told of every file of theirs that it imports, by which way ever; also of those that are missing
 */
export function urlOfLab(file: string, version: number, imported?: (file: string) => void): string {
  provideHooks()
  const url = pathToFileURL(file)
  if (version === 0) return url.href
  url.searchParams.set(parameter, String(version))
  if (imported !== undefined) listeners.set(String(version), imported)
  return url.href
}

let isProvided = false

function provideHooks(): void {
  if (isProvided) return
  isProvided = true
  registerHooks({
    resolve: (specifier, context, next) => {
      if (specifier === 'faultline/lab') return { url: installation.labModule.href, shortCircuit: true }
      const version = versionOf(context.parentURL)
      if (version === null) return next(specifier, context)
      try {
        const resolved = next(specifier, context)
        const url = new URL(resolved.url)
        if (!isTheirs(url)) return resolved
        listeners.get(version)?.(fileURLToPath(url))
        url.searchParams.set(parameter, version)
        return { ...resolved, url: url.href }
      } catch (error) {
        // It may be written later.
        if (/^\.{0,2}\//.test(specifier)) listeners.get(version)?.(fileURLToPath(new URL(specifier, context.parentURL)))
        throw error
      }
    },
  })
}

function versionOf(url: string | undefined): string | null {
  return url !== undefined && URL.canParse(url) ? new URL(url).searchParams.get(parameter) : null
}

/** Folders of the toolkit itself, of which there must be one only: its classes are compared, and it knows what it has started. */
const ours = ['broker', 'scripts', 'simulator', 'dist'].map(folder => join(installation.root, folder) + sep)

/** A file that somebody edits beside a lab, and no package or part of the toolkit. */
function isTheirs(url: URL): boolean {
  if (url.protocol !== 'file:') return false
  const file = fileURLToPath(url)
  return !file.split(sep).includes('node_modules') && !ours.some(folder => file.startsWith(folder))
}
