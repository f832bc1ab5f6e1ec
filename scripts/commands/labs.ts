/** lab list, show, run, new, random, replay, shrink, export. */
import type { Command } from 'commander'
import { collect, wholeNumber, withCommonOptions } from './options.ts'
import { weakeningNames } from '../labs/random/weakenings.ts'
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
    .option(
      '--engine <engine>',
      'faultline, apache-kafka, apache-kafka:3.9.1; several with commas (default: faultline)',
    )
    .option('--security <kind>', 'of the cluster, as with up', 'none')
    .option('--seed <seed>', 'what is random comes from it', wholeNumber, 1)
    .option('--variant <variant>', 'only this variant; may be given again', collect, [])
    .option('--scale <scale>', 'quick, or full: five times as long', 'quick')
    .option('--out <dir>', 'where the report goes (default: out/labs/LAB, with --variant LAB-VARIANT)')
    .option('--step', 'pause at every step and after every fault, with the logs of all replicas side by side')
    .option('--watch', 'run a file of your own again whenever it is saved')
    .option('--bootstrap <addresses>', 'a cluster that is there: host:port,…; labs that need only clients run on it')
    .option('--command-config <file>', 'how to connect to it: client properties, as for the tools of Kafka')
    .option('--allow-cluster-changes', 'there: also labs that change more than topics and groups of their own')
    .option('--no-predict', 'do not ask for a prediction')
    .option('--yes', 'ask nothing and narrate nothing, as without a terminal')
    .option('--name <name>', 'name of the cluster (default: from the lab)')
    .option('--json', 'one JSON document on stdout, progress on stderr')
    .action(async (labs: string[], options) => (await import('./lab-run.ts')).runLabs(labs, options, session))

  withCommonOptions(lab.command('new <name>'))
    .description('write a lab of your own: a name, or the path of the file')
    .action(async (target: string, options) => (await import('./lab-new.ts')).makeNewLab(target, options, session))

  withCommonOptions(lab.command('random'))
    .description('labs drawn from a seed: topology, workload, faults; judged by what the settings promise')
    .option('--seed <seed>', 'of the first one', wholeNumber, 1)
    .option('--count <count>', 'how many, with the seeds that follow', wholeNumber, 1)
    .option('--runtime <runtime>', 'simulated or process', 'simulated')
    .option('--weaken <setting>', `give up a promise: ${weakeningNames.join(', ')}; may be given again`, collect, [])
    .option('--out <dir>', 'where random-SEED[-SETTING]/ with report and random.json goes (default: out/labs)')
    .action(async options => (await import('./lab-random.ts')).randomLabs(options, session))

  withCommonOptions(lab.command('replay <what>'))
    .description('judge a recorded history again, or run a random lab again: a history, a seed, a random.json')
    .option('--rerun', 'run what a history of the simulator is of again from its seed, instead of judging the file')
    .option('--lab <file>', 'of your own that a history is of, where its file is not where it was')
    .option('--out <dir>', 'where the report goes (default: none is written)')
    .action(async (what: string, options) => (await import('./lab-replay.ts')).replayLab(what, options, session))

  withCommonOptions(lab.command('shrink <what>'))
    .description('make a random lab that finds something as small as it can be: a seed, or a random.json')
    .option('--check <check>', 'that must still find something (default: the first that does)')
    .option('--runs <runs>', 'candidates that are run at most', wholeNumber, 200)
    .option(
      '--out <file>',
      'the lab that is written (default: shrunk-SEED.ts beside the random.json, or in out/labs/random-SEED)',
    )
    .action(async (what: string, options) => (await import('./lab-random.ts')).shrinkLab(what, options, session))

  lab
    .command('export <history>')
    .description('write a recorded history in the notation of Jepsen (EDN), for its checkers and for Elle')
    .option('--format <format>', 'kafka (jepsen.tests.kafka) or list-append (elle-cli)', 'kafka')
    .option('--out <file>', 'where to (default: stdout)')
    .action(async (file: string, options) => (await import('./lab-export.ts')).exportHistory(file, options, session))
}
