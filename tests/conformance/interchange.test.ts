/**
 * A data directory of Faultline is one of Apache Kafka, and the other way round: a cluster is stopped, cleanly or by kill -9, and started on the
 * same directories by the other implementation, again and again, with everything that a cluster can hold. See interchange/ for what that is.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { BrokerProcess, freePort } from './harness.ts'
import { runJava } from './java.ts'
import { differences, Life, tally, type Census } from './interchange/life.ts'
import { dumpMetadata } from './interchange/metadata-log.ts'
import { SharedDirectories, type EngineName, type Stop } from './interchange/shared-directories.ts'

interface Stage {
  readonly engine: EngineName
  /** How the stage before was stopped. */
  readonly after?: Stop
}

const names: Readonly<Record<EngineName, string>> = { faultline: 'Faultline', 'apache-kafka': 'Apache Kafka' }

/** Three JVMs start within one of them; on a busy machine that takes its time. */
const longestMs = 900_000

/** Every way from one to the other is gone once, in two lives: one is stopped in order, the other killed. */
const lives: readonly { readonly title: string; readonly stages: readonly Stage[] }[] = [
  {
    title: 'a cluster begun by Faultline',
    stages: [
      { engine: 'faultline' },
      { engine: 'apache-kafka', after: 'cleanly' },
      { engine: 'faultline', after: 'cleanly' },
    ],
  },
  {
    title: 'a cluster formatted and begun by Apache Kafka',
    stages: [
      { engine: 'apache-kafka' },
      { engine: 'faultline', after: 'killed' },
      { engine: 'apache-kafka', after: 'killed' },
    ],
  },
]

/** How much there is when a stage has done its work, whoever served it. */
const amountIn = (stage: number): Readonly<Record<string, number>> => ({
  records: 35 + 1520 * stage,
  committed: 30 + 1475 * stage,
  producer: 1 + 45 * stage,
  transaction: 1 + 4 * stage,
  group: 8 + 9 * stage,
  share: 1,
  topic: 19 + stage,
  partition: 40 + 4 * stage,
  acl: 3 * stage,
  scram: 3 + 2 * stage,
  quota: 1 + 2 * stage,
  token: stage,
})

/** Whoever wrote it: Apache Kafka's tools find nothing wrong with the metadata log of any node. */
async function expectReadable(life: Life, cluster: SharedDirectories): Promise<void> {
  const { log, snapshots, snapshotFiles, complaints } = await dumpMetadata(life, cluster.dataDirectories)
  expect(complaints).toEqual([])
  expect(snapshotFiles).toBeGreaterThanOrEqual(cluster.dataDirectories.length)
  expect(Object.keys(log).length).toBeGreaterThan(0)
  const kinds = ['FEATURE_LEVEL_RECORD', 'REGISTER_BROKER_RECORD', 'TOPIC_RECORD', 'USER_SCRAM_CREDENTIAL_RECORD']
  expect(Object.keys(snapshots)).toEqual(expect.arrayContaining(kinds))
}

describeWith(['java', 'apache-kafka'], 'the same directories under both', () => {
  for (const { title, stages } of lives) {
    describe(title, () => {
      let cluster: SharedDirectories
      let life: Life
      let before: Census
      let isWhole = true

      /** Each test needs what the ones before have left. */
      beforeEach(() => {
        if (!isWhole) throw new Error('a stage before this one failed')
      })
      afterEach(({ task }) => {
        isWhole = task.result?.state !== 'fail'
      })

      beforeAll(async () => {
        cluster = await SharedDirectories.make()
        if (stages[0]?.engine === 'apache-kafka') await cluster.format()
        life = new Life(cluster)
      })

      afterAll(async () => {
        await life?.end()
        await cluster?.remove()
      })

      stages.forEach(({ engine, after }, index) => {
        const stage = index + 1
        const next = stages[stage]
        const until = next === undefined ? '' : `, until it is ${next.after === 'killed' ? 'killed' : 'stopped'}`

        if (after !== undefined)
          test(`${stage}: ${names[engine]} finds all that was there (${after})`, { timeout: longestMs }, async () => {
            expect(await cluster.stop(after)).toBe(after === 'cleanly' ? 3 : 0)
            await expectReadable(life, cluster)
            await cluster.start(engine)
            expect(differences(before, await life.census())).toEqual([])
          })

        if (after !== undefined)
          test(`${stage}: ${names[engine]} lets its clients go on`, { timeout: longestMs }, async () => {
            await life.resume(stage)
          })

        if (index === 1)
          test(`${stage}: ${names[engine]} keeps another node out of its directories`, async () => {
            await expect(cluster.intrude()).rejects.toThrow(/data is in use/)
          })

        test(`${stage}: ${names[engine]} takes more of everything${until}`, { timeout: longestMs }, async () => {
          if (after === undefined) await cluster.start(engine)
          await life.work(stage)
          await life.awaitCompaction(stage)
          before = await life.census()
          console.log(`${title}, stage ${stage}, ${names[engine]}: ${JSON.stringify(tally(before))}`)
          expect(tally(before)).toMatchObject(amountIn(stage))
        })
      })
    })
  }
})

describeWith(['java', 'apache-kafka'], 'a quorum of dynamic voters (kraft.version 1)', () => {
  test('is refused with what to do, and its directory left as kafka-storage made it', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'faultline-dynamic-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const [port, controllerPort] = [await freePort(), await freePort()]
    const node = new BrokerProcess(1, directory, [port, controllerPort, await freePort()])
    const common = {
      'process.roles': 'broker,controller',
      'node.id': '1',
      listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    }
    node.configure({ ...common, 'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}` })
    const format = ['format', '--standalone', '-t', 'Ik5ndEVyY2hhbmdlQWJsZQ', '-c', node.files.propertiesFile]
    const { code, output } = await runJava('kafka.tools.StorageTool', format)
    expect({ code, output }).toMatchObject({ code: 0 })
    const content = (): string[] =>
      readdirSync(node.dataDirectory, { recursive: true, withFileTypes: true })
        .filter(entry => entry.isFile())
        .map(entry => path.join(entry.parentPath, entry.name))
        .map(file => `${file} ${readFileSync(file, 'base64')}`)
        .sort()
    const formatted = content()
    await expect(node.start()).rejects.toThrow(/bootstrap\.servers alone is for dynamic voters/)
    node.configure({ ...common, 'controller.quorum.voters': `1@127.0.0.1:${controllerPort}` })
    await expect(node.start()).rejects.toThrow(/kraft\.version 1 .*static voters only/)
    expect(content()).toEqual(formatted)
  })
})
