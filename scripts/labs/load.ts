/** Where labs come from: those of this installation by their names, and a file of somebody's own by its path. */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { isAbsolute, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Capability } from '../cluster/cluster.ts'
import { failure, messageOf, usageError } from '../errors.ts'
import { importModule } from '../import-module.ts'
import { installation } from '../installation/here.ts'
import { chapterOf, type Chapter } from './chapters.ts'
import { lab as checked, type Lab } from './lab.ts'
import { urlOfLab } from './own-modules.ts'

const { folder: labsFolder, extension: labExtension } = installation.labs

export interface LabListing {
  readonly name: string
  readonly summary: string
  readonly question: string
  readonly chapter: Chapter
  readonly needs: readonly Capability[]
  readonly variants: readonly string[]
}

/** All labs in the order of their numbers. */
export async function listLabs(): Promise<LabListing[]> {
  const labs = await Promise.all((await labNames()).map(name => loadLab(name)))
  return labs.map(lab => {
    const { name, summary, question, needs, variants } = lab
    return { name, summary, question, chapter: chapterOf(lab), needs, variants: variants.map(v => v.name) }
  })
}

/**
 * The lab of that name, its number, or an unambiguous beginning: `00-durability`, `00` or `0`, `06-isr`; or a file: `./my-lab.ts`.
 *
 * @param version  of a file that may have changed since it was loaded: another number loads it anew, with what it imports
 * @param imported  told of every file that a file imports which is loaded anew, also when the loading fails
 */
export async function loadLab(name: string, version = 0, imported?: (file: string) => void): Promise<Lab> {
  if (isLabFile(name)) return await loadLabFile(name, version, imported)
  const names = await labNames()
  if (name.trim() === '')
    throw usageError('Which lab? The name is empty.', `${installation.command} lab list shows the labs.`)
  // Numbers are whole ones: 1 is 01, and no beginning of 10.
  const beginning = /^\d$/.test(name) ? `0${name}-` : name
  const found = names.filter(
    candidate => candidate === name || candidate.startsWith(beginning) || candidate.slice(3) === name,
  )
  const exact = found.find(candidate => candidate === name) ?? (found.length === 1 ? found[0] : undefined)
  if (!exact) {
    const which = found.length > 1 ? `it may mean ${found.join(' or ')}` : 'there is no such lab'
    throw usageError(
      `Lab ${JSON.stringify(name)}: ${which}.`,
      `The labs are: ${names.join(', ')}. A file of your own is named with its folder: ./my-lab.ts`,
    )
  }
  const module = (await import(new URL(`${exact}${labExtension}`, labsFolder).href)) as { default: Lab }
  return module.default
}

/** Whether a name is that of a file: it has a folder, or the ending of a script. */
export function isLabFile(name: string): boolean {
  return name.startsWith('.') || isAbsolute(name) || /\.[cm]?[jt]s$/.test(name)
}

async function loadLabFile(
  name: string,
  version: number,
  imported: ((file: string) => void) | undefined,
): Promise<Lab> {
  const file = resolve(name)
  if (!existsSync(file))
    throw usageError(`There is no file ${file}.`, `${installation.command} lab new ${name} writes one to begin with.`)
  let module: { readonly default?: unknown }
  try {
    module = await importModule(new URL(urlOfLab(file, version, imported)), `The lab ${file}`)
  } catch (error) {
    throw failure(
      `${file} cannot be loaded: ${messageOf(error)}${placeOf(error)}`,
      'docs/labs.md says what a lab looks like.',
      error,
    )
  }
  if (!isLab(module.default))
    throw failure(
      `${file}: expected a lab as the default export, got ${typeof module.default}.`,
      "Write: export default lab({ … }), with lab from 'faultline/lab'.",
    )
  const loaded = checked(module.default)
  files.set(loaded, name)
  return loaded
}

/** Where Node.js found what it cannot read: its message does not say that, the beginning of the stack does, with a mark under the place. */
function placeOf(error: unknown): string {
  if (!(error instanceof SyntaxError)) return ''
  const [first = '', ...lines] = (error.stack ?? '').split('\n')
  const [, place, line] = /^(.+?)(?:\?[^:]*)?:(\d+)$/.exec(first) ?? []
  if (place === undefined || line === undefined) return ''
  const mark = lines.find(each => /^ *\^+ *$/.test(each))
  const column = mark === undefined ? '' : `:${mark.indexOf('^') + 1}`
  return ` (${place.startsWith('file:') ? fileURLToPath(place) : place}:${line}${column})`
}

const files = new WeakMap<object, string>()

/** The name of the file that a lab of somebody's own was loaded from. */
export function fileOfLab(lab: object): string | undefined {
  return files.get(lab)
}

function isLab(value: unknown): value is Lab {
  return typeof value === 'object' && value !== null && 'name' in value && 'variants' in value && 'topology' in value
}

/** Of the labs of this installation, in the order of their numbers. */
export async function labNames(): Promise<string[]> {
  const files = await readdir(labsFolder)
  return files
    .filter(file => /^\d\d-/.test(file) && file.endsWith(labExtension))
    .map(file => file.slice(0, -labExtension.length))
    .sort()
}
