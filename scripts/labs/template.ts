/** The file that `lab new` writes: a lab that runs as it is, and is to be changed. */
import { existsSync, writeFileSync } from 'node:fs'
import { basename, dirname, extname, resolve } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { messageOf, usageError } from '../errors.ts'

/**
 * Writes a new lab and answers its path.
 *
 * @param target  a name (`my-lab`: a file in this directory) or a path (`labs/my-lab.ts`)
 */
export function writeNewLab(target: string): { readonly file: string; readonly name: string } {
  const file = resolve(extname(target) === '' ? `${target}.ts` : target)
  if (!/\.[cm]?ts$/.test(file))
    throw usageError(`A lab is a file of TypeScript, got ${JSON.stringify(target)}.`, 'For example: lab new my-lab')
  const name = basename(file, extname(file))
  if (!/^[a-z0-9][a-z0-9-]{0,35}$/.test(name))
    throw usageError(
      `${JSON.stringify(name)} cannot be the name of a lab: expected at most 36 lower-case letters, digits and dashes.`,
      'For example: lab new my-lab',
    )
  if (existsSync(file)) throw usageError(`${file} is there already.`, 'Give another name, or remove it.')
  try {
    makeFolder(dirname(file))
    writeFileSync(file, newLab(name))
  } catch (error) {
    throw usageError(`${file} cannot be written: ${messageOf(error)}.`, 'Choose another folder: lab new DIR/my-lab')
  }
  return { file, name }
}

/** Runs on the simulator and on processes; its control must be caught. */
export function newLab(name: string): string {
  return `/**
 * Lab ${name}: does an acknowledged record survive the death of a leader?
 * Setup: 3 brokers, replication factor 3, min.insync.replicas 2, acks=all.
 * Fault: kill -9 of the leader of partition 0.
 * Expect: no acknowledged record lost, duplicated or out of order.
 * Control: with acks=1 the same checks must find lost records.
 */
import { allChecks, lab, leaderOf, loseTheUnreplicated, node, quickFailover, unreplicatedWorkload } from 'faultline/lab'
import type { Script } from 'faultline/lab'

/** Each step is named, each wait is for something that can be seen. */
const killTheLeader: Script = async run => {
  run.step('healthy')
  await run.acknowledged(50)
  run.step('kill -9 the leader of partition 0')
  const killed = await run.kill(leaderOf(0))
  await run.until('another broker leads', 0, ({ leader }) => leader >= 0 && !killed.includes(leader))
  await run.acknowledged(50)
  run.step('it comes back')
  await run.start(node(...killed))
  await run.ready()
  await run.acknowledged(50)
}

export default lab({
  name: '${name}',
  summary: 'Kill the leader of a partition: no acknowledged record may be lost.',
  question: 'The leader of a partition is killed while clients write with acks=all. How many acknowledged records are lost?',
  prediction: { choices: ['None', 'Those of the last moments before the kill'], answer: 0 },
  topology: { brokers: 3, controllers: 0, settings: quickFailover },
  needs: ['kill', 'pause', 'restart'],
  variants: [
    {
      name: 'main',
      summary: 'acks=all, min.insync.replicas=2',
      role: 'main',
      // Whatever is left out is as in appendDefaults: 3 producers, 3 partitions, 2 consumers in a group.
      workload: {},
      script: killTheLeader,
      checks: allChecks,
      expect: 'valid',
    },
    {
      name: 'acks-1',
      summary: 'acks=1: the leader dies with records that nobody else has',
      role: 'control',
      workload: unreplicatedWorkload,
      script: loseTheUnreplicated,
      checks: allChecks,
      expect: ['lost-write', 'unseen', 'vanished'],
    },
  ],
  watch: ['The leader epoch rises with the election.', 'Nothing is acknowledged until another broker leads.'],
  explanation: 'acks=all is answered when every replica in sync has the record, and only one of those is elected.',
  reading: ['https://kafka.apache.org/documentation/#producerconfigs_acks'],
})
`
}
