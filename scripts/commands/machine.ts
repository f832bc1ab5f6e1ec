/** doctor, bench, completion: about the machine, not about a cluster. */
import type { Command } from 'commander'
import { withCommonOptions } from './options.ts'
import type { Session } from './session.ts'

export function addMachineCommands(root: Command, session: Session): void {
  withCommonOptions(root.command('doctor'))
    .description('what this machine has and lacks, and what earlier commands left behind')
    .option('--fetch-kafka', 'fetch the jars of Apache Kafka now, not when they are first needed')
    .action(async options => (await import('./doctor.ts')).doctor(options, session))
  root
    .command('completion <shell>')
    .description('what bash, zsh or fish needs to complete these commands: source <(faultline completion bash)')
    .action(async (shell: string) => {
      const { completionScript } = await import('./completion.ts')
      const script = completionScript(root, shell)
      session.output.result({ shell, script }, () => script)
    })
  root
    .command('bench [args...]')
    .description('measure side by side with Apache Kafka; arguments go to bench/main.ts')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (args: string[]) => (await import('./bench.ts')).bench(args, session))
}
