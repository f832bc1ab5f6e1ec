/**
 * The library that breaks Apache Kafka from inside, and its probe, for nodes that are processes: made on this machine, of the sources that the image is made
 * of, once for each of their versions and each compiler, in a folder beside the jars.
 */
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { codeOf, failure, lacking, messageOf } from '../../errors.ts'
import { installation } from '../../installation/here.ts'
import { sh } from '../../shell.ts'
import type { Availability } from '../cluster.ts'
import type { PrepareOptions } from '../process/engine.ts'
import { errorNumber, formatRules } from './fault-rules.ts'
import { jarsDirectory } from './jars.ts'
import { libraryName, probeName } from './preload.ts'

/** What images/apache-kafka/Dockerfile makes, too. */
const made = [
  {
    name: libraryName,
    sources: ['faults.c', 'durable.c'],
    flags: ['-shared', '-fPIC'],
    libraries: ['-ldl', '-lpthread'],
  },
  { name: probeName, sources: ['probe.c'], flags: ['-D_FILE_OFFSET_BITS=64'], libraries: [] },
] as const
const headers = ['durable.h']
const always = ['-O2', '-Wall', '-Wextra']
const compilers = ['cc', 'gcc']
const compileMs = 120_000

const packages =
  'Install one with the headers of the C library: apt-get install gcc libc6-dev, or dnf install gcc glibc-devel; or use --runtime compose.'

interface Compiler {
  readonly command: string
  /** What it says of itself: another one makes another library. */
  readonly version: string
}

/** Whether the library can be made here, or is made already. */
export async function libraryAvailable(): Promise<Availability> {
  if (process.platform !== 'linux')
    return {
      available: false,
      missing: 'a library in front of the JVM breaks Apache Kafka from inside, and that is there on Linux alone',
      remedy: 'Use --runtime compose.',
    }
  const compiler = await findCompiler()
  if (compiler === undefined)
    return {
      available: false,
      missing: `a C compiler is missing (${compilers.join(' or ')}): it makes the library that breaks Apache Kafka from inside`,
      remedy: packages,
    }
  if (existsSync(folderFor(compiler))) return { available: true }
  const sources = made.flatMap(each => each.sources).map(sourcePath)
  const { ok, stdall } = await sh({ timeoutMs: compileMs })`${compiler.command} -fsyntax-only ${sources}`
  if (ok) return { available: true }
  return {
    available: false,
    missing: `${compiler.command} cannot make the library that breaks Apache Kafka from inside: ${firstError(stdall)}`,
    remedy: packages,
  }
}

/** Makes the library where it is not made yet. @returns its folder, which stays as it is */
export async function buildLibrary({ progress, signal }: PrepareOptions): Promise<string> {
  const found = await libraryAvailable()
  const compiler = found.available ? await findCompiler() : undefined
  if (!found.available || compiler === undefined)
    throw lacking(
      `Faults inside Apache Kafka: ${found.available ? 'the C compiler has gone' : found.missing}.`,
      found.available ? packages : found.remedy,
    )
  const folder = folderFor(compiler)
  if (existsSync(folder)) return folder
  progress(`Building the library that breaks Apache Kafka from inside (${compiler.command}, once)`)
  // Under a name of its own first: several commands may get here at once, and one that is cut off leaves nothing under the right name.
  const staged = stagedBeside(folder)
  try {
    for (const each of made) await compile(compiler, join(staged, each.name), each, signal)
    await tryOut(staged, signal)
    // The folder of the jars may be that of several users.
    chmodSync(staged, 0o755)
    renameSync(staged, folder)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw error
    // Somebody was faster. Theirs is the same.
  } finally {
    rmSync(staged, { recursive: true, force: true })
  }
  return folder
}

async function findCompiler(): Promise<Compiler | undefined> {
  for (const command of compilers) {
    const { ok, stdout } = await sh()`${command} --version`
    if (ok) return { command, version: stdout }
  }
  return undefined
}

function sourcePath(name: string): string {
  return join(installation.kafkaImage, name)
}

function folderFor({ version }: Compiler): string {
  const hash = createHash('sha256')
  for (const name of [...made.flatMap(({ sources }) => sources), ...headers])
    hash.update(readFileSync(sourcePath(name)))
  hash.update(JSON.stringify({ made, always, version, architecture: process.arch }))
  return join(dirname(jarsDirectory()), 'faultline-library', hash.digest('hex').slice(0, 16))
}

function stagedBeside(folder: string): string {
  try {
    makeFolder(dirname(folder))
    return mkdtempSync(`${folder}.`)
  } catch (error) {
    throw failure(
      `The library that breaks Apache Kafka from inside has no place in ${dirname(folder)}: ${messageOf(error)}.`,
      'Choose another place for it and the jars: KAFKA_CACHE=DIR',
      error,
    )
  }
}

async function compile(
  { command }: Compiler,
  target: string,
  { sources, flags, libraries }: (typeof made)[number],
  signal: AbortSignal | undefined,
): Promise<void> {
  const words = [...always, ...flags, '-o', target, ...sources.map(sourcePath), ...libraries]
  const { ok, stdall } = await sh({ timeoutMs: compileMs, signal })`${command} ${words}`
  if (ok) return
  signal?.throwIfAborted()
  throw failure(
    `${command} cannot make ${sources.join(' and ')} of ${installation.kafkaImage}:\n${stdall.trimEnd().slice(-1_500)}`,
    packages,
  )
}

/** A write that has to fail: where files may not be run, or the loader does not take the library, it works. */
async function tryOut(folder: string, signal: AbortSignal | undefined): Promise<void> {
  const parameters = { on: 'write', code: 'EIO' }
  const entry = { id: 'probe', kind: 'disk-error', parameters, slot: 0, born: 1 }
  const rules = formatRules({ generation: 1, added: 1, entries: [entry] })
  const shell = sh({ cwd: folder, timeoutMs: compileMs, signal, env: { FAULTLINE_LIBRARY: `./${libraryName}` } })
  const { ok, stdout, stdall } = await shell`./${probeName} tried write 10 ${rules}`
  const seen = ok ? (JSON.parse(stdout) as { readonly now: { readonly errno?: number } | null }) : undefined
  if (seen?.now?.errno === errorNumber('EIO')) return
  signal?.throwIfAborted()
  throw failure(
    `The library that breaks Apache Kafka from inside was made in ${dirname(folder)}, and breaks nothing there: ${stdall.trim().slice(-500)}`,
    'Files in that folder have to be executable (no mount with noexec); another place: KAFKA_CACHE=DIR',
  )
}

function firstError(output: string): string {
  const lines = output.split('\n').filter(line => line.trim() !== '')
  return (lines.find(line => line.includes('error')) ?? lines.at(-1) ?? 'no reason given').trim().slice(0, 300)
}
