/** Other releases of Apache Kafka under the same commands: the last one that logs by log4j 1, and the first by log4j 2. */
import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { describeWith } from '../machine.ts'
import { freePort, Toolkit } from './faultline-command.ts'

describeWith(['java', 'maven'], 'the engine apache-kafka', () => {
  describe.each(['3.9.1', '4.0.0'])('in release %s', version => {
    const toolkit = new Toolkit()
    afterAll(() => toolkit.remove())

    test('starts, takes records and gives them back, loses a broker and goes', async () => {
      const up = ['up', '--runtime', 'process', '--engine', `apache-kafka:${version}`, '--brokers', '2']
      const document = await toolkit.document(...up, '--port', await freePort())
      expect(document).toMatchObject({ engine: 'apache-kafka', engineVersion: version })
      const [first] = document.brokers
      expect(readFileSync(first?.log ?? '', 'utf8')).toContain(`Kafka version: ${version}`)
      await toolkit.run('produce', 'letters', 'a', 'b')
      expect(await toolkit.values('default', 'letters')).toEqual(['a', 'b'])
      await toolkit.run('stop', '2')
      await toolkit.run('start', '2')
      expect(await toolkit.states('default')).toEqual(['running', 'running'])
      await toolkit.run('down')
      expect(toolkit.isEmpty).toBe(true)
    })
  })

  test('that was never released is refused by name, and leaves nothing', async () => {
    const toolkit = new Toolkit()
    const up = ['up', '--runtime', 'process', '--engine', 'apache-kafka:3.9.99', '--port', await freePort()]
    const { stderr, exitCode } = await toolkit.start(...up)
    expect(stderr).toContain("There is no Apache Kafka 3.9.99 in Maven's repositories.")
    expect(exitCode).toBe(2)
    expect(toolkit.isEmpty).toBe(true)
    await toolkit.remove()
  })
})
