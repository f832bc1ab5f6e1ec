/** stop, start, restart, kill, pause, resume, wipe, and faults of nodes and links that can be listed and healed. */
import type { Command } from 'commander'
import { collect, withCommonOptions } from './options.ts'
import type { Session } from './session.ts'

const verbs = [
  ['stop', 'controlled shutdown: leaders move away first'],
  ['start', 'start nodes that are down, on the data they have'],
  ['restart', 'stop and start; several one after the other (a rolling restart)'],
  ['kill', 'SIGKILL; several at the same moment'],
  ['pause', 'freeze; the sockets stay open'],
  ['resume', 'let paused nodes go on'],
  ['wipe', 'empty the disk of nodes that are down'],
] as const
export type Verb = (typeof verbs)[number][0]

const who =
  'Nodes are numbers, "controller" (the active one), "leader:orders-0", "follower:orders-0", "coordinator:readers" (a group) or "all".'

export function addBreakingCommands(root: Command, session: Session): void {
  for (const [verb, summary] of verbs) {
    const command = withCommonOptions(root.command(`${verb} <broker...>`))
      .description(summary)
      .addHelpText('after', `\n${who}`)
    if (verb === 'start' || verb === 'restart' || verb === 'resume')
      command.option('--no-wait', 'do not wait until the nodes serve')
    command.action(async (nodes: string[], options) =>
      (await import('./nodes.ts')).operate(verb, nodes, options, session),
    )
  }

  const fault = root.command('fault').description('faults as things that can be listed and healed')
  withCommonOptions(fault.command('add <kind> [words...]'))
    .description('apply a fault to nodes, or to links with --from and --to; kinds: ./faultline fault list --kinds')
    .option('--from <nodes>', 'whose connections: node numbers, client, controller or all, with commas')
    .option('--to <nodes>', 'to whom')
    .option('--listener <kind>', 'client, broker or controller (default: all that the source uses)')
    .option('--no-proof', 'do not look whether it took effect')
    .option(
      '--at <time>',
      'so long from now: 500ms, 5s, 2m; the command waits and goes on until the fault is over or Ctrl-C',
    )
    .option(
      '--when <condition>',
      "when that is observed, such as 'hasLeftInSyncSet orders-0 2' or its JSON form; the command waits as with --at",
      collect,
      [],
    )
    .option('--within <time>', 'how long --when is waited for (default: until Ctrl-C)')
    .option('--repeat <time>', 'again and again, every so often, until Ctrl-C')
    .option('--lasts <time>', 'healed after so long (default, of a fault with --at or --repeat: when the command ends)')
    .allowUnknownOption()
    .addHelpText(
      'after',
      `\n${who}\nParameters of a kind are options too: ./faultline fault add latency --from 1 --to 2 --delay 100`,
    )
    .action(async (kind: string, words: string[], options) =>
      (await import('./faults.ts')).addFault(kind, words, options, session),
    )
  withCommonOptions(fault.command('run <file>'))
    .description(
      'carry out a schedule of faults (JSON or TypeScript) until it is over or Ctrl-C, and heal what it began',
    )
    .action(async (file: string, options) => (await import('./fault-run.ts')).runFaults(file, options, session))
  withCommonOptions(fault.command('list'))
    .description('the faults at work, or with --kinds what there is to apply')
    .option('--kinds', 'the kinds of faults, not the ones at work')
    .action(
      async options => await session.leaving(async () => (await import('./faults.ts')).listFaults(options, session)),
    )
  withCommonOptions(fault.command('heal [id...]'))
    .description('undo faults')
    .option('--all', 'all of them')
    .action(
      async (ids: string[], options) =>
        await session.leaving(async () => (await import('./faults.ts')).healFaults(ids, options, session), 700),
    )
  withCommonOptions(fault.command('release <id>'))
    .description('let go what a fault of the kind hold holds at this moment; the fault stays')
    .action(
      async (id: string, options) =>
        await session.leaving(async () => (await import('./faults.ts')).releaseFault(id, options, session)),
    )
}
