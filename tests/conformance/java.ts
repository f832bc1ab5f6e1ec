/** Java programs of this folder: compiled once against Apache Kafka's jars, run with a small heap. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { kafkaJars } from '#tests/machine.ts'
import { quickJava } from '#tests/quick-java.ts'

const sources = path.join(import.meta.dirname, 'java')
const compiled = path.resolve(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'faultline', 'java')
const classPath = (classes: string, jars: string = kafkaJars): string =>
  classes === '' ? `${jars}/*` : `${classes}:${jars}/*`
const jvm = ['-Xmx256m', ...quickJava]

/** Folder with the classes of these source files. They are compiled once, until a source changes. */
export function compile(names: string | readonly string[], jars: string = kafkaJars): string {
  const hash = createHash('sha256').update(JSON.stringify([names, jars]))
  for (const file of readdirSync(sources).sort()) hash.update(file).update(readFileSync(path.join(sources, file)))
  const classes = path.join(compiled, hash.digest('hex').slice(0, 24))
  if (existsSync(classes)) return classes
  mkdirSync(compiled, { recursive: true })
  // Under a name of its own first: what is there under the other is complete.
  const made = mkdtempSync(path.join(compiled, 'made-'))
  const from = ['-sourcepath', sources, ...[names].flat().map(name => path.join(sources, `${name}.java`))]
  try {
    const options = ['-nowarn', '-Xlint:none', '--release', '17', '-cp', `${jars}/*`, '-d', made]
    // What it says of deprecated methods goes with its output; of an error it is part.
    execFileSync('javac', [...options, ...from], { stdio: 'pipe' })
    renameSync(made, classes)
  } catch (error) {
    rmSync(made, { recursive: true, force: true })
    // Another test file was as quick.
    if (!existsSync(classes)) throw error
  }
  return classes
}

/** Runs a program of the jars, or of `classes`, to its end. */
export async function runJava(
  mainClass: string,
  args: readonly string[],
  classes = '',
  jars: string = kafkaJars,
): Promise<{ code: number | null; output: string }> {
  const child = spawn('java', [...jvm, '-cp', classPath(classes, jars), mainClass, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}

/** A program of `classes` that runs on: told by lines on its standard input, heard by lines of its output. */
export class JavaProgram {
  readonly #child: ChildProcess
  readonly #gone: Promise<unknown>
  /** Called when there is more output, or no more to come. */
  #heard: () => void = () => {}
  #output = ''

  constructor(mainClass: string, args: readonly string[], classes: string) {
    this.#child = spawn('java', [...jvm, '-cp', classPath(classes), mainClass, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#gone = once(this.#child, 'close')
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.#output += chunk
        this.#heard()
      })
    void this.#gone.then(() => this.#heard())
  }

  get output(): string {
    return this.#output
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }

  /** What matches in its output from now on. */
  async ask(line: string, answer: RegExp): Promise<string> {
    const { length } = this.#output
    this.tell(line)
    for (;;) {
      const [found] = answer.exec(this.#output.slice(length)) ?? []
      if (found !== undefined) return found
      if (this.hasEnded) throw new Error(`the program ended:\n${this.#output}`)
      await new Promise<void>(resolve => (this.#heard = resolve))
    }
  }

  /** Resolves with the exit code when the program ends by itself. */
  async end(): Promise<number | null> {
    await this.#gone
    return this.#child.exitCode
  }

  /** kill -9, if it still runs. */
  async kill(): Promise<void> {
    if (!this.hasEnded) this.#child.kill('SIGKILL')
    await this.#gone
  }
}

export const oldClientJars = (): Promise<string> => jarsOf('old-clients', '2.8.2')
/** To be used with Apache Kafka's own. */
export const metadataShellJars = (): Promise<string> => jarsOf('metadata-shell', '4.3.1')

/** Folder with the jars that java/NAME.xml names, beside Apache Kafka's own; fetched through Maven the first time. */
async function jarsOf(name: string, version: string): Promise<string> {
  const target = path.join(path.dirname(kafkaJars), `${name}-${version}`)
  if (existsSync(target)) return target
  // Maven wants to write beside its pom, and a folder that is there is complete.
  mkdirSync(path.dirname(target), { recursive: true })
  const work = mkdtempSync(path.join(path.dirname(target), `${name}-`))
  try {
    cpSync(path.join(sources, `${name}.xml`), path.join(work, 'pom.xml'))
    const child = spawn('mvn', ['-B', '-q', 'dependency:copy-dependencies', '-DoutputDirectory=jars'], {
      cwd: work,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    const [code] = (await once(child, 'close')) as [number | null]
    if (code !== 0) throw new Error(`Maven could not fetch ${name} ${version}`)
    renameSync(path.join(work, 'jars'), target)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  return target
}

export interface LoadResult {
  readonly acked: number
  readonly failed: number
  /** Acknowledged, and not where it should be. */
  readonly lost: number
  /** In the log more than once. */
  readonly twice: number
  /** Longest time to an acknowledgement, ms. */
  readonly slowest: number
}

/** Records written with acks=all at a steady pace, by the Java producer; see Load.java. */
export class Load {
  readonly #child: ChildProcess
  #output = ''

  constructor(bootstrap: string, topic: string, pace: { perSecond: number; bytes: number }) {
    const args = [bootstrap, topic, String(pace.perSecond), String(pace.bytes)]
    this.#child = spawn('java', [...jvm, '-cp', classPath(compile('Load')), 'Load', ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (chunk: string) => (this.#output += chunk))
  }

  /** What it has said so far, errors of records and of the client too. */
  get output(): string {
    return this.#output
  }

  get isRunning(): boolean {
    return this.#output.includes('running')
  }

  /** Ends the load, reads everything back, and tells what became of it. */
  async finish(): Promise<LoadResult> {
    const gone = once(this.#child, 'close')
    this.#child.stdin?.end('\n')
    await gone
    const match = /acked (\d+) failed (\d+) lost (\d+) twice (\d+) slowest (\d+)/.exec(this.#output)
    if (match === null) throw new Error(`the load did not end well:\n${this.#output}`)
    const [acked = 0, failed = 0, lost = 0, twice = 0, slowest = 0] = match.slice(1).map(Number)
    return { acked, failed, lost, twice, slowest }
  }

  stop(): void {
    this.#child.kill('SIGKILL')
  }
}

export interface ToolResult {
  readonly code: number
  readonly output: string
}

/** Apache Kafka's command line tools in one JVM; see Tools.java. Commands run one at a time, in order. */
export class KafkaTools {
  readonly #child: ChildProcess
  readonly #answers: ((result: ToolResult) => void)[] = []
  #received = Buffer.alloc(0)

  constructor() {
    const args = [...jvm, '-cp', classPath(compile('Tools')), 'Tools']
    this.#child = spawn('java', args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#take()
    })
    this.#child.once('exit', () => {
      for (const answer of this.#answers.splice(0)) answer({ code: -1, output: 'the JVM ended' })
    })
  }

  /** `tool` is a class of org.apache.kafka.tools, or a full class name. */
  run(tool: string, ...args: readonly string[]): Promise<ToolResult> {
    const mainClass = tool.includes('.') ? tool : `org.apache.kafka.tools.${tool}`
    this.#child.stdin?.write(`${[mainClass, ...args].join('\t')}\n`)
    return new Promise(resolve => this.#answers.push(resolve))
  }

  /** The output; an exit code other than 0 is an error. */
  async succeed(tool: string, ...args: readonly string[]): Promise<string> {
    const { code, output } = await this.run(tool, ...args)
    if (code !== 0) throw new Error(`${tool} ${args.join(' ')} ended with ${code}:\n${output}`)
    return output
  }

  /** Reads so many records of a topic from its beginning, as a group. @returns what ConsumerPerformance says of it */
  consume(bootstrap: string, topic: string, count: number, group: string): Promise<string> {
    return this.succeed(
      'ConsumerPerformance',
      ...['--bootstrap-server', bootstrap, '--topic', topic, '--group', group],
      ...['--num-records', String(count), '--timeout', '120000'],
    )
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = once(this.#child, 'exit')
      this.#child.kill('SIGKILL')
      await gone
    }
  }

  #take(): void {
    for (;;) {
      const end = this.#received.indexOf('\n')
      if (end < 0) return
      const [code, bytes] = this.#received.toString('utf8', 0, end).split(' ').map(Number)
      if (code === undefined || bytes === undefined)
        throw new Error('Tools.java: expected a code and a number of bytes')
      const next = end + 1 + bytes
      if (this.#received.length < next) return
      const output = this.#received.toString('utf8', end + 1, next)
      this.#received = this.#received.subarray(next)
      this.#answers.shift()?.({ code, output })
    }
  }
}
