/** topic, group, produce, consume: thin commands on top of kafkajs for a look and a try; programs use a client of their own. */
import type { Command } from 'commander'
import { collect, wholeNumber, withCommonOptions } from './options.ts'
import type { Session } from './session.ts'

/** How long clients may take to say goodbye after an interruption. */
const goodbyeMs = 700

export function addDataCommands(root: Command, session: Session): void {
  addTopicCommands(root, session)
  const group = root.command('group').description('consumer groups')
  withCommonOptions(group.command('list'))
    .description('all groups')
    .action(
      async options => await session.leaving(async () => (await import('./groups.ts')).listGroups(options, session)),
    )
  withCommonOptions(group.command('describe <group>'))
    .description('members, committed offsets, lag')
    .action(
      async (id: string, options) =>
        await session.leaving(async () => (await import('./groups.ts')).describeGroup(id, options, session)),
    )
  withCommonOptions(group.command('delete <group...>'))
    .description('delete empty groups')
    .action(
      async (ids: string[], options) =>
        await session.leaving(async () => (await import('./groups.ts')).deleteGroups(ids, options, session)),
    )

  withCommonOptions(root.command('produce <topic> [value...]'))
    .description('write records: the given values, --count numbered ones, or each line of stdin')
    .option('--key <key>', 'the key of all of them (default: none)')
    .option('--partition <index>', 'this partition (default: by key)', wholeNumber)
    .option('--count <count>', 'this many numbered records', wholeNumber)
    .option('--acks <acks>', '0, 1 or all', 'all')
    .action(
      async (topic: string, values: string[], options) =>
        await session.leaving(
          async () => (await import('./produce.ts')).produce(topic, values, options, session),
          goodbyeMs,
        ),
    )

  withCommonOptions(root.command('consume <topic>'))
    .description('print records, from the first one on, until the end of the topic as it is now')
    .option('--count <count>', 'stop after this many', wholeNumber)
    .option('-f, --follow', 'go on until Ctrl-C')
    .option('--latest', 'begin at the end')
    .option('--group <group>', 'as a member of this group, with committed offsets')
    .option('--rack <rack>', 'from a replica in this rack, if the brokers let it (client.rack)')
    .action(
      async (topic: string, options) =>
        await session.leaving(async () => (await import('./consume.ts')).consume(topic, options, session), goodbyeMs),
    )
}

function addTopicCommands(root: Command, session: Session): void {
  const topic = root.command('topic').description('topics')
  withCommonOptions(topic.command('create <topic>'))
    .description('create a topic')
    .option('--partitions <count>', 'how many partitions', wholeNumber, 3)
    .option(
      '--replicas <count>',
      'how many replicas (default: 3, or the number of brokers if that is less)',
      wholeNumber,
    )
    .option('--set <key=value>', 'a topic setting, Kafka’s name; may be given again', collect, [])
    .action(
      async (name: string, options) =>
        await session.leaving(async () => (await import('./topics.ts')).createTopic(name, options, session)),
    )
  withCommonOptions(topic.command('list'))
    .description('all topics')
    .option('--internal', 'internal ones as well')
    .action(
      async options => await session.leaving(async () => (await import('./topics.ts')).listTopics(options, session)),
    )
  withCommonOptions(topic.command('describe <topic>'))
    .description('partitions, leaders, in-sync replicas, offsets')
    .action(
      async (name: string, options) =>
        await session.leaving(async () => (await import('./topics.ts')).describeTopic(name, options, session)),
    )
  withCommonOptions(topic.command('delete <topic...>'))
    .description('delete topics')
    .action(
      async (names: string[], options) =>
        await session.leaving(async () => (await import('./topics.ts')).deleteTopics(names, options, session)),
    )
}
