/** lab list, run, replay. */
import type { Command } from 'commander'
import { collect, wholeNumber, withCommonOptions } from './options.ts'
import type { Session } from './session.ts'

export function addLabCommands(root: Command, session: Session): void {
  const lab = root.command('lab').description('experiments with a prediction, faults and a verdict')
  withCommonOptions(lab.command('list'))
    .description('the labs and what each asks')
    .action(async options => (await import('./lab-run.ts')).listAllLabs(options, session))

  lab
    .command('run <lab...>')
    .description('run labs on clusters of their own; a name, its number, or "all"')
    .option('--runtime <runtime>', 'process, compose or simulated', 'process')
    .option('--engine <engine>', 'faultline, apache-kafka, or a release of it: apache-kafka:3.9.1', 'faultline')
    .option('--security <kind>', 'of the cluster, as with up', 'none')
    .option('--seed <seed>', 'what is random comes from it', wholeNumber, 1)
    .option('--variant <variant>', 'only this variant; may be given again', collect, [])
    .option('--scale <scale>', 'quick, or full: five times as long', 'quick')
    .option('--out <dir>', 'where the report goes (default: out/labs/LAB)')
    .option('--no-predict', 'do not ask for a prediction')
    .option('--name <name>', 'name of the cluster (default: from the lab)')
    .option('--json', 'one JSON document on stdout, progress on stderr')
    .action(async (labs: string[], options) => (await import('./lab-run.ts')).runLabs(labs, options, session))

  withCommonOptions(lab.command('replay <history>'))
    .description('judge a recorded history again; a simulated run is run again from its seed')
    .option('--out <dir>', 'where the report goes (default: none is written)')
    .action(async (file: string, options) => (await import('./lab-run.ts')).replayLab(file, options, session))
}
