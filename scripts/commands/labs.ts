/** lab list, show, run, replay, export. */
import type { Command } from 'commander'
import { collect, wholeNumber, withCommonOptions } from './options.ts'
import type { Session } from './session.ts'

export function addLabCommands(root: Command, session: Session): void {
  const lab = root.command('lab').description('experiments with a prediction, faults and a verdict')
  withCommonOptions(lab.command('list'))
    .description('the labs, chapter by chapter, and which of them are done')
    .action(async options => (await import('./lab-list.ts')).listAllLabs(options, session))

  withCommonOptions(lab.command('show <lab>'))
    .description('the lesson of a lab: question, what to watch, exercises, reading; the explanation after a run')
    .action(async (name: string, options) => (await import('./lab-list.ts')).showLab(name, options, session))

  lab
    .command('run [lab...]')
    .description('run labs on clusters of their own: names, numbers, files (./my-lab.ts), or --all')
    .option('--all', 'every lab there is')
    .option('--runtime <runtime>', 'process, compose or simulated (default: process; with --step simulated)')
    .option('--engine <engine>', 'faultline, apache-kafka, apache-kafka:3.9.1; several with commas', 'faultline')
    .option('--security <kind>', 'of the cluster, as with up', 'none')
    .option('--seed <seed>', 'what is random comes from it', wholeNumber, 1)
    .option('--variant <variant>', 'only this variant; may be given again', collect, [])
    .option('--scale <scale>', 'quick, or full: five times as long', 'quick')
    .option('--out <dir>', 'where the report goes (default: out/labs/LAB)')
    .option('--step', 'pause at every step and after every fault, with the logs of all replicas side by side')
    .option('--watch', 'run a file of your own again whenever it is saved')
    .option('--no-predict', 'do not ask for a prediction')
    .option('--yes', 'ask nothing and narrate nothing, as without a terminal')
    .option('--name <name>', 'name of the cluster (default: from the lab)')
    .option('--json', 'one JSON document on stdout, progress on stderr')
    .action(async (labs: string[], options) => (await import('./lab-run.ts')).runLabs(labs, options, session))

  withCommonOptions(lab.command('new <name>'))
    .description('write a lab of your own: a name, or the path of the file')
    .action(async (target: string, options) => (await import('./lab-new.ts')).makeNewLab(target, options, session))

  withCommonOptions(lab.command('replay <history>'))
    .description('judge a recorded history again; a simulated run is run again from its seed')
    .option('--out <dir>', 'where the report goes (default: none is written)')
    .action(async (file: string, options) => (await import('./lab-replay.ts')).replayLab(file, options, session))

  lab
    .command('export <history>')
    .description('write a recorded history in the notation of Jepsen (EDN), for its checkers and for Elle')
    .option('--format <format>', 'kafka (jepsen.tests.kafka) or list-append (elle-cli)', 'kafka')
    .option('--out <file>', 'where to (default: stdout)')
    .action(async (file: string, options) => (await import('./lab-export.ts')).exportHistory(file, options, session))
}
