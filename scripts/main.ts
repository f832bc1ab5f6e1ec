/**
 * The toolkit's command line, `./faultline`. Only parses and dispatches: each command is a file in `commands/`, loaded when it is used.
 */
import { constants } from 'node:os'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { exitCodes, LeftAsItIs, messageOf, refusedBySystem, ToolkitError } from './errors.ts'
import { addBreakingCommands } from './commands/breaking.ts'
import { addClusterCommands } from './commands/lifecycle.ts'
import { addDataCommands } from './commands/data.ts'
import { addLabCommands } from './commands/labs.ts'
import { addLogCommands } from './commands/log.ts'
import { addMachineCommands } from './commands/machine.ts'
import { Session } from './commands/session.ts'
import type { Output } from './output.ts'
import { NotTakenBack } from './settle.ts'

const description = 'A Kafka cluster you can break on purpose.'
const footer = `
Exit codes: 0 good, 1 failed or a verdict is "invalid", 2 not understood, 3 this machine lacks something, 4 a verdict is "unknown".
Every command takes --name (which cluster) and --json (one JSON document on stdout). State: .faultline/NAME.`

export function program(session: Session): Command {
  const root = new Command('faultline').description(description).addHelpText('after', footer)
  root
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .showHelpAfterError(false)
  addClusterCommands(root, session)
  addBreakingCommands(root, session)
  addDataCommands(root, session)
  addLabCommands(root, session)
  addLogCommands(root, session)
  addMachineCommands(root, session)
  return root
}

/** Runs one command line; returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const session = new Session(args.includes('--json'))
  session.listenForInterrupts()
  try {
    await program(session).parseAsync(args.length === 0 ? ['--help'] : args, { from: 'user' })
    return session.exitCode
  } catch (error) {
    return explain(error, session)
  }
}

/** Says what has become of the command. @returns its exit code */
export function explain(error: unknown, session: Session): number {
  if (session.interruptedBy !== undefined) {
    if (session.interruptedBy !== 'SIGPIPE')
      session.output.note(`Interrupted (${session.interruptedBy})${endingOf(error, session)}.`)
    if (error instanceof NotTakenBack) session.output.error(error)
    return 128 + constants.signals[session.interruptedBy]
  }
  if (error instanceof CommanderError && !(error instanceof InvalidArgumentError)) return usage(error, session.output)
  session.output.error(refusedBySystem(error) ?? error)
  return error instanceof ToolkitError ? error.exitCode : exitCodes.failed
}

/** What has become of what an interrupted command did. */
function endingOf(error: unknown, session: Session): string {
  if (error instanceof LeftAsItIs) return `: ${error.message}`
  return session.wasLeft || error instanceof NotTakenBack ? '' : '; what was started has been taken away'
}

/** Commander has printed help or version itself; anything else is a usage error that it describes. */
function usage(error: CommanderError, output: Output): number {
  if (error.exitCode === 0) return exitCodes.good
  const text = messageOf(error).replace(/^error: /, '')
  const help = './faultline --help, or ./faultline COMMAND --help'
  const remedy = error.code === 'commander.excessArguments' ? `A cluster is named with --name NAME. ${help}` : help
  output.error(new ToolkitError(exitCodes.usage, text, { remedy }))
  return exitCodes.usage
}

/** Runs the command line of this process, and ends it. */
export async function run(): Promise<void> {
  const code = await main(process.argv.slice(2))
  // Connections of a client library may linger; the command is over. A pipe must get all of the output first.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
}

if (import.meta.main) void run()
