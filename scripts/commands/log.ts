/** log: the files of a broker's data directory, read, checked, repaired and explained. Works without a cluster, also on Apache Kafka's files. */
import type { Command } from 'commander'
import { wholeNumber, withCommonOptions } from './options.ts'
import type { Session } from './session.ts'

export function addLogCommands(root: Command, session: Session): void {
  const log = root.command('log').description('look into the files of a log: dump, verify, repair, explain')
  withCommonOptions(log.command('dump <path>'))
    .description('print a file of a log, or all files of a directory: batches, index entries, snapshots, checkpoints')
    .option('--records', 'the records of every batch, too; those of internal topics in words')
    .action(async (path: string, options) => (await import('./log-dump.ts')).dumpLog(path, options, session))
  withCommonOptions(log.command('verify <path>'))
    .description('check a data directory, a partition or a file; exit code 1 when something is damaged')
    .option('--records', 'also unfold and decode every record')
    .action(async (path: string, options) => (await import('./log-verify.ts')).verify(path, options, session))
  withCommonOptions(log.command('repair <path>'))
    .description('repair a data directory or a partition, after showing what would be done')
    .option('--yes', 'do it without asking')
    .option('--set-aside-damaged-batches', 'take damaged batches out of the middle of a log: their records are lost')
    .option('--backup <dir>', 'where what goes is kept (default: beside the data directory)')
    .action(async (path: string, options) => (await import('./log-repair.ts')).repairLog(path, options, session))
  withCommonOptions(log.command('explain <path>'))
    .description('tell in words what a segment or a partition holds, and why')
    .option('--batches <count>', 'so many batches of each segment', wholeNumber, 12)
    .action(async (path: string, options) => (await import('./log-explain.ts')).explain(path, options, session))
}
