/** Runs `./faultline` as people do, with a state directory of the test's own, for tests that start clusters. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import type { ClusterDocument } from '#scripts/commands/describe.ts'
import { claimBasePort } from '#scripts/cluster/ports.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { projectRoot } from '#scripts/cluster/state.ts'
import { Session } from '#scripts/commands/session.ts'
import { program } from '#scripts/main.ts'
import { Output } from '#scripts/output.ts'

const command = path.join(projectRoot, 'faultline')

/** Keeps the one document of a command with --json. */
class KeptOutput extends Output {
  document: unknown
  override readonly progress = (): void => {}

  constructor() {
    super(true)
  }

  override note(): void {}

  override result(document: unknown): void {
    this.document = JSON.parse(JSON.stringify(document))
  }
}

export class Toolkit {
  #folder: string | undefined

  /** Made when it is first needed: a test that does not run leaves none. */
  get folder(): string {
    this.#folder ??= mkdtempSync(path.join(tmpdir(), 'faultline-test-'))
    return this.#folder
  }

  get home(): string {
    return path.join(this.folder, 'state')
  }

  start(...args: string[]) {
    return execa(command, args, {
      reject: false,
      env: { FAULTLINE_HOME: this.home, XDG_STATE_HOME: path.join(this.folder, 'progress'), NO_COLOR: '1' },
    })
  }

  /** Fails the test when the command does. */
  async run(...args: string[]): Promise<{ stdout: string; stderr: string }> {
    const { exitCode, stdout, stderr } = await this.start(...args)
    if (exitCode !== 0) throw new Error(`faultline ${args.join(' ')} ended with ${exitCode}:\n${stderr}\n${stdout}`)
    return { stdout, stderr }
  }

  /**
   * The same command in this process, for tests that ask often: a process of its own takes half a second to begin, and many times that
   * on a busy machine. From now on, until `remove`, code of the toolkit in this process has the same state directory.
   *
   * @returns what it prints with --json. Rejects with the error that the command ends with.
   */
  async here(...args: string[]): Promise<unknown> {
    process.env['FAULTLINE_HOME'] = this.home
    const output = new KeptOutput()
    await program(new Session(true, output)).parseAsync([...args, '--json'], { from: 'user' })
    return output.document
  }

  async document(...args: string[]): Promise<ClusterDocument> {
    return JSON.parse((await this.run(...args, '--json')).stdout) as ClusterDocument
  }

  async states(name: string): Promise<string[]> {
    const { brokers, controllers } = await this.document('status', '--name', name)
    return [...brokers, ...controllers].map(({ state }) => state)
  }

  /** The values of all records of a topic, sorted. */
  async values(name: string, topic: string): Promise<string[]> {
    const { stdout } = await this.run('consume', topic, '--name', name, '--json')
    return (JSON.parse(stdout) as { value: string }[]).map(({ value }) => value).sort()
  }

  get isEmpty(): boolean {
    return !existsSync(this.home)
  }

  async remove(): Promise<void> {
    await this.start('down', '--all')
    if (process.env['FAULTLINE_HOME'] === this.home) delete process.env['FAULTLINE_HOME']
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** A base port whose whole span is free, and this test's until its process ends. */
export async function freePort(shape: { readonly proxy?: boolean } = {}): Promise<string> {
  return String(await claimBasePort(clusterSpec({ runtime: 'process', ...shape })))
}
