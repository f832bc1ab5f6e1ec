/** up, grow, status, logs, inspect, down: a cluster comes, is looked at, and goes. */
import type { Command } from 'commander'
import type { Session } from './session.ts'
import { collect, duration, wholeNumber, withCommonOptions } from './options.ts'

export function addClusterCommands(root: Command, session: Session): void {
  addUpCommand(root, session)

  withCommonOptions(root.command('grow').alias('scale'))
    .description('add brokers to a cluster that runs; they hold nothing until partitions are moved to them')
    .option('--by <count>', 'how many', wholeNumber, 1)
    .action(async options => (await import('./grow.ts')).grow(options, session))

  withCommonOptions(root.command('status'))
    .description('which nodes run, who leads the quorum')
    .action(async options => await session.leaving(async () => (await import('./status.ts')).status(options, session)))

  withCommonOptions(root.command('logs [broker...]'))
    .description('what the nodes log')
    .option('-n, --lines <count>', 'newest lines of each node', wholeNumber, 100)
    .option('-f, --follow', 'go on until Ctrl-C')
    .action(async (nodes: string[], options) => (await import('./logs.ts')).logs(nodes, options, session))

  withCommonOptions(root.command('inspect [broker...]'))
    .description('quorum, topics, leaders and in-sync replicas; with a number: everything about that node')
    .action(
      async (nodes: string[], options) =>
        await session.leaving(async () => (await import('./inspect.ts')).inspect(nodes, options, session)),
    )

  withCommonOptions(root.command('watch'))
    .description(
      'what the brokers say while it happens: logs of all replicas side by side, quorum, groups, transactions',
    )
    .option(
      '--topic <topic>',
      'this topic; may be given again (default: all, when nothing else is asked for)',
      collect,
      [],
    )
    .option('--internal', 'internal topics as well, when all are watched')
    .option('--group <group>', 'this group of any kind, with its members and lag; may be given again', collect, [])
    .option('--groups', 'every group')
    .option('--quorum', 'who leads the metadata quorum, and how far its members are')
    .option('--transactions', 'transactions that have not ended')
    .option('--producers', 'the producers that leaders remember (with --json)')
    .option('--interval <time>', 'from one look to the next, e.g. 500ms or 2s', duration, 1_000)
    .option('--answer <time>', 'how long a broker may take for an answer', duration, 1_000)
    .option('--once', 'look once, and end')
    .addHelpText('after', '\n--json gives one document with --once, and without it one document a line until Ctrl-C.')
    .action(async options => (await import('./watch.ts')).watch(options, session))

  withCommonOptions(root.command('down'))
    .description('stop everything and remove it; cleans up after crashed commands too')
    .option('--keep-data', 'stop in an orderly way and keep the data for the next up')
    .option('--all', 'every cluster there is')
    .action(async options => (await import('./down.ts')).down(options, session))
}

function addUpCommand(root: Command, session: Session): void {
  withCommonOptions(root.command('up'))
    .description('start a cluster; returns when a record can be produced and read')
    .option(
      '--runtime <runtime>',
      'process, compose or simulated (default: compose if a Docker engine answers, else process)',
    )
    .option('--engine <engine>', 'faultline, redpanda, apache-kafka or apache-kafka:3.9.1 (default: faultline)')
    .option('--brokers <count>', 'how many brokers (default: 3)', wholeNumber)
    .option('--controllers <count>', 'controllers of their own (default: 0, brokers are controllers too)', wholeNumber)
    .option(
      '--port <port>',
      'client port of broker 1; broker i is on port + i - 1; 0 picks free ones (default: 9092)',
      wholeNumber,
    )
    .option(
      '--data <dir>',
      'put the data there (default: .faultline/NAME); down removes it, unless the folders were there before, down --keep-data keeps it',
    )
    .option('--set <key=value>', 'a broker setting, Kafka’s name; may be given again', collect, [])
    .option(
      '--security <kind>',
      'none, sasl (passwords), tls, mtls (client certificates) or sasl-tls, on every listener (default: none)',
    )
    .option('--proxy', 'put a fault proxy in front of every listener, so that links and requests can be broken')
    .option('--faults', 'let nodes take orders for faults inside themselves: disk, clock, stalls, crashes')
    .option(
      '--topology <file>',
      'nodes, racks, settings, links … from a file (docs/topologies.md) or a ready one: three, racks, stretched …',
    )
    .action(async options => (await import('./up.ts')).up(options, session))
}
