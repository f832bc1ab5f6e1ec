/** Commands that limit the processors of one container at the same time. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { NodeFaults } from '#scripts/cluster/cluster.ts'
import { CpuLimitedNodes } from '#scripts/cluster/compose/cpu-limit.ts'
import { docker, ensureImage } from '#scripts/cluster/compose/docker.ts'
import { brokerImage } from '#scripts/cluster/compose/generator.ts'
import { describeWith } from '../machine.ts'

const noOthers: NodeFaults = {
  add: () => Promise.reject(new Error('nothing else is added here')),
  list: () => Promise.resolve([]),
  heal: () => Promise.resolve([]),
}

describeWith(['docker'], 'limits of processors', () => {
  const name = `faultline-limited-${process.pid}`
  const home = mkdtempSync(path.join(tmpdir(), 'faultline-limited-'))
  const containerOf = async () => {
    const { State: state } = await (await docker()).getContainer(name).inspect()
    return { name, isRunning: state.Running, isPaused: state.Paused, startedAt: state.StartedAt }
  }
  const quota = async () => (await (await docker()).getContainer(name).inspect()).HostConfig.CpuQuota
  /** As another command has it. */
  const nodes = () => new CpuLimitedNodes(noOthers, 'limited', containerOf)

  beforeAll(async () => {
    process.env['FAULTLINE_HOME'] = home
    mkdirSync(path.join(home, 'limited', 'node-1'), { recursive: true })
    await ensureImage(() => {}, undefined)
    const shape = { Image: brokerImage, Entrypoint: ['sleep', 'infinity'], Cmd: [], NetworkDisabled: true }
    const container = await (await docker()).createContainer({ ...shape, name })
    await container.start()
  })
  afterAll(async () => {
    await (await docker()).getContainer(name).remove({ force: true })
    delete process.env['FAULTLINE_HOME']
    rmSync(home, { recursive: true, force: true })
  })

  test('of several at once there is one, and healing it leaves none', async () => {
    const order = (cores: number) => ({ kind: 'cpu-limit', parameters: { cores }, proof: false })
    const added = await Promise.allSettled([0.5, 0.25, 0.125].map(cores => nodes().add(1, order(cores))))
    const refused = added.flatMap(each => (each.status === 'rejected' ? [String(each.reason)] : []))
    expect(refused).toEqual([1, 2].map(() => expect.stringContaining('has a limit already') as string))
    expect(await quota()).toBeGreaterThan(0)
    const healed = await Promise.all([nodes().heal(1, 'all'), nodes().heal(1, 'all')])
    expect(healed.flat().map(({ id }) => id)).toEqual(['cpu-limit-1'])
    expect(await quota()).toBeLessThanOrEqual(0)
    expect(readdirSync(path.join(home, 'limited', 'node-1'))).toEqual([])
  })
})
