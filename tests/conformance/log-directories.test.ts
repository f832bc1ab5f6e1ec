/**
 * Replicas move between the log directories of their brokers under a steady load of the Java producer with acks=all, as kafka-reassign-partitions
 * plans it and kafka-log-dirs tells it. Not one acknowledged record may fail, get lost or wait long. Cordoned directories get nothing new.
 */
import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { eventually } from './harness.ts'
import { reassign, ReassignmentStage } from './reassignment-stage.ts'

const brokers = [1, 2, 3]
const partitions = 6

interface LogDir {
  readonly logDir: string
  readonly error: string | null
  readonly partitions: readonly { readonly partition: string; readonly size: number; readonly isFuture: boolean }[]
}

describeWith(['java', 'apache-kafka'], 'brokers with two log directories', () => {
  let stage: ReassignmentStage
  const run = (tool: string, ...args: string[]): Promise<string> => stage.run(tool, ...args)
  const directoriesOf = (broker: number): string[] => stage.cluster.broker(broker).logDirectories(2)
  /** What kafka-log-dirs says of a broker. */
  const logDirs = async (broker: number): Promise<readonly LogDir[]> => {
    const output = await run('LogDirsCommand', '--describe', '--broker-list', String(broker))
    const json = output.split('\n').find(line => line.startsWith('{')) ?? ''
    return (JSON.parse(json) as { brokers: { logDirs: LogDir[] }[] }).brokers[0]!.logDirs
  }
  const homeOf = async (broker: number, partition: string): Promise<string | undefined> =>
    (await logDirs(broker)).find(({ partitions: logs }) =>
      logs.some(each => each.partition === partition && !each.isFuture),
    )?.logDir
  /** Every replica of a topic into the log directory with this number. */
  const plan = (topic: string, count: number, directory: number): string => {
    const moves = Array.from({ length: count }, (_, partition) => {
      const replicas = brokers.map((_id, index) => brokers[(partition + index) % brokers.length]!)
      return { topic, partition, replicas, log_dirs: replicas.map(id => directoriesOf(id)[directory]!) }
    })
    return stage.plan({ version: 1, partitions: moves }, `${topic}-${directory}`)
  }
  const assignmentOf = (count: number): string =>
    Array.from({ length: count }, (_, partition) =>
      brokers.map((_id, index) => brokers[(partition + index) % brokers.length]).join(':'),
    ).join(',')
  const verified = (file: string): Promise<string> => stage.whenOver(file, /still in progress|is not found|failed/)

  beforeAll(async () => {
    const shape = ['--replica-assignment', assignmentOf(partitions)]
    stage = await ReassignmentStage.begin({ shape, logDirs: 2 })
  })
  afterAll(() => stage?.end())

  test.each([0, 1, 0])('kafka-reassign-partitions moves every replica into directory %i', async directory => {
    const file = plan('moved', partitions, directory)
    const output = await run(reassign, '--execute', '--reassignment-json-file', file)
    for (const id of brokers)
      expect(output).toContain(
        `started moving log directory to ${directoriesOf(id)[directory]} for replica moved-0 with broker ${id}`,
      )
    const result = await verified(file)
    for (let partition = 0; partition < partitions; partition++) {
      for (const id of brokers)
        expect(result).toContain(`Reassignment of replica moved-${partition}-${id} completed successfully`)
    }
    for (const id of brokers) {
      const [wanted, other] = directory === 0 ? directoriesOf(id) : directoriesOf(id).toReversed()
      const logs = (where: string): string[] => readdirSync(where).filter(name => /^moved-\d+$/.test(name))
      expect([id, logs(wanted!).length, logs(other!).length]).toEqual([id, partitions, 0])
    }
  })

  test('a throttled move is told by kafka-log-dirs and can be taken back', async () => {
    await stage.create('heavy', '--replica-assignment', '1:2:3')
    await stage.fill('heavy', 20_000)
    const before = (await homeOf(1, 'heavy-0'))!
    const [there, back] = directoriesOf(1)[0] === before ? [1, 0] : [0, 1]
    const file = plan('heavy', 1, there)
    const throttle = ['--replica-alter-log-dirs-throttle', '100000']
    expect(await run(reassign, '--execute', '--reassignment-json-file', file, ...throttle)).toContain(
      'The replica-alter-dir throttle limit was set to 100000 B/s',
    )
    const future = await eventually('a copy grows', async () => {
      const found = (await logDirs(1)).find(({ partitions: logs }) =>
        logs.some(each => each.partition === 'heavy-0' && each.isFuture && each.size > 0),
      )
      return found?.logDir
    })
    expect(future).toBe(directoriesOf(1)[there])
    expect(await run(reassign, '--verify', '--reassignment-json-file', file)).toContain(
      'Reassignment of replica heavy-0-1 is still in progress',
    )
    const home = plan('heavy', 1, back)
    await run(reassign, '--execute', '--reassignment-json-file', home, '--additional', ...throttle)
    await verified(home)
    expect(await homeOf(1, 'heavy-0')).toBe(before)
    expect((await logDirs(1)).flatMap(({ partitions: logs }) => logs.filter(({ isFuture }) => isFuture))).toEqual([])
    const settings = ['--describe', '--entity-type', 'brokers', '--entity-name', '1']
    await eventually('it is throttled no more', async () =>
      (await run('kafka.admin.ConfigCommand', ...settings)).includes('replica.alter.log.dirs') ? undefined : true,
    )
  })

  test('a cordoned directory gets nothing new until it is uncordoned', async () => {
    const [open, cordoned] = directoriesOf(1)
    const alter = (change: string[]): Promise<string> =>
      run('kafka.admin.ConfigCommand', '--alter', '--entity-type', 'brokers', '--entity-name', '1', ...change)
    await alter(['--add-config', `cordoned.log.dirs=${cordoned}`])
    // The tool does not print it of a directory; the broker says so with its settings, once it has them.
    const describe = ['--describe', '--entity-type', 'brokers', '--entity-name', '1']
    const isCordoned = async (): Promise<boolean> =>
      (await run('kafka.admin.ConfigCommand', ...describe)).includes(`cordoned.log.dirs=${cordoned}`)
    await eventually('it is cordoned', async () => ((await isCordoned()) ? true : undefined))
    await stage.create('placed', '--replica-assignment', Array(8).fill('1').join(','))
    for (let partition = 0; partition < 8; partition++) {
      const home = await eventually(`placed-${partition} is somewhere`, () => homeOf(1, `placed-${partition}`))
      expect(home).toBe(open)
    }
    const moves = [{ topic: 'placed', partition: 0, replicas: [1], log_dirs: [cordoned] }]
    const file = stage.plan({ version: 1, partitions: moves }, 'cordoned')
    const args = ['--bootstrap-server', stage.cluster.bootstrap, '--execute', '--reassignment-json-file', file]
    expect((await stage.tools.run(reassign, ...args)).output).toContain('InvalidReplicaAssignmentException')
    await alter(['--delete-config', 'cordoned.log.dirs'])
    await eventually('it is not cordoned any more', async () => ((await isCordoned()) ? undefined : true))
    await run(reassign, '--execute', '--reassignment-json-file', file)
    await eventually('it is there', async () => ((await homeOf(1, 'placed-0')) === cordoned ? true : undefined))
  })

  test('not one record was refused, lost, doubled or late', async () => {
    expect(await stage.complaints()).toEqual([])
  })
})
