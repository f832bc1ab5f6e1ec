/** Redpanda in containers, where its image can be had; where not, the reason, and nothing left behind. */
import { afterAll, expect, test } from 'vitest'
import { describeWith } from '../machine.ts'
import { freePort, Toolkit } from './faultline-command.ts'

describeWith(['docker'], 'up --engine redpanda', () => {
  const toolkit = new Toolkit()
  afterAll(() => toolkit.remove())

  test('starts a cluster that takes records and loses a broker, or says that the image cannot be pulled', async () => {
    const { exitCode, stdout, stderr } = await toolkit.start('up', '--engine', 'redpanda', '--port', await freePort())
    if (exitCode === 3) {
      console.warn(`SKIPPED but for the refusal: ${stderr.trim().split('\n').at(-2)}`)
      expect(stderr).toMatch(/The image redpandadata\/redpanda:v\S+ cannot be pulled: .+/)
      expect(toolkit.isEmpty).toBe(true)
      return
    }
    expect(`${stderr}\n${stdout}`).toContain('Up in ')
    await toolkit.run('produce', 'letters', 'a', 'b')
    await toolkit.run('kill', '2')
    expect(await toolkit.values('default', 'letters')).toEqual(['a', 'b'])
    await toolkit.run('start', '2')
    expect(await toolkit.states('default')).toEqual(['running', 'running', 'running'])
    await toolkit.run('down')
    expect(toolkit.isEmpty).toBe(true)
  })
})
