/** A person in front of a lab, played over a pair of streams; the cluster is simulated, and its time stands still at a pause. */
import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import { askKnob, askPrediction, InteractiveWatcher, type Person } from '#scripts/commands/lab-interactive.ts'
import { lab, quickFailover, type Lab } from '#scripts/labs/lab.ts'
import { loadLab, runLab } from '#scripts/labs/run.ts'
import { loseTheUnreplicated, unreplicatedWorkload } from '#scripts/labs/scripts.ts'
import { viewReplicas, type ReplicaView } from '#scripts/labs/replica-view.ts'
import { leaderOf, node } from '#scripts/labs/targets.ts'
import type { LabWatcher } from '#scripts/labs/watcher.ts'

const example: Lab = lab({
  name: 'example',
  summary: 'An example.',
  question: 'How many are lost?',
  prediction: { choices: ['none', 'some'], answer: 0 },
  topology: { brokers: 3, controllers: 0, settings: quickFailover },
  needs: ['kill', 'pause', 'restart'],
  variants: [
    {
      name: 'main',
      summary: 'the leader dies',
      role: 'main',
      workload: { partitions: 1, producers: 1, consumers: 1 },
      script: async run => {
        run.step('healthy')
        await run.acknowledged(5)
        const killed = await run.kill(leaderOf(0))
        await run.acknowledged(5)
        await run.start(node(...killed))
      },
      checks: ['lost-write'],
      expect: 'valid',
    },
    {
      name: 'acks-1',
      summary: 'nobody else has it',
      role: 'control',
      workload: unreplicatedWorkload,
      script: loseTheUnreplicated,
      checks: ['lost-write'],
      expect: ['lost-write'],
    },
  ],
  watch: [],
  explanation: 'Because.',
  reading: [],
})

/** Answers each prompt that ends as `prompt` says with the next of `answers`; a function is called instead. */
function play(answers: readonly (string | (() => void))[]) {
  const [input, output] = [new PassThrough(), new PassThrough()]
  const said: string[] = []
  const abort = new AbortController()
  let next = 0
  output.on('data', (chunk: Buffer) => {
    const text = chunk.toString()
    said.push(text)
    if (!text.endsWith(': ')) return
    const answer = answers[next++]
    if (typeof answer === 'function') answer()
    else if (answer === undefined) input.end()
    else input.write(`${answer}\n`)
  })
  const person: Person = {
    keyboard: { input, output, interrupt: () => abort.abort(new Error('interrupted')) },
    say: text => void said.push(text),
    signal: abort.signal,
  }
  return { person, said, abort, text: () => said.join('\n') }
}

const simulated = { runtime: simulatedRuntime, engine: 'faultline', seed: 1, variants: ['main'] } as const

async function run(person: Person, step: boolean) {
  const stopping = new AbortController()
  const watcher = new InteractiveWatcher({ person, step, stop: reason => stopping.abort(reason) })
  const signal = AbortSignal.any([person.signal, stopping.signal])
  return await runLab(example, { ...simulated, watcher, signal })
}

describe('a prediction', () => {
  test('is one of the choices, asked again until it is', async () => {
    const { person, text } = play(['7', 'x', '2'])
    expect(await askPrediction(example, person)).toBe(1)
    expect(text()).toContain('Expected a number from 1 to 2, or nothing, got "7".')
  })
  test('may be left out, also by an input that ends', async () => {
    expect(await askPrediction(example, play(['']).person)).toBeUndefined()
    expect(await askPrediction(example, play([]).person)).toBeUndefined()
  })
  test('is not waited for after an interrupt', async () => {
    const { person, abort } = play([() => abort.abort(new Error('interrupted'))])
    await expect(askPrediction(example, person)).rejects.toThrow('interrupted')
  })
  test('is followed by the knobs that can be turned', async () => {
    const controls = example.variants.slice(1)
    const { person, text } = play(['1'])
    expect((await askKnob(example, controls, person))?.name).toBe('acks-1')
    expect(text()).toContain('lab run example --variant acks-1')
  })
})

describe('a lab in front of a person', () => {
  test('says what happens, step by step, with the replicas side by side, and comes to its verdict', async () => {
    const { person, text } = play(Array.from({ length: 20 }, () => ''))
    const result = await run(person, true)
    expect(result.variants[0]?.verdict).toBe('valid')
    const told = text()
    for (const line of [
      '== healthy',
      /kill \d \(the leader of partition 0\)/,
      /broker \d leads lab-main-0 now \(epoch 1/,
    ])
      expect(told).toMatch(line)
    expect(told).toMatch(/log end .*\n.*high watermark/)
    // Offset, record, leader epoch.
    expect(told).toMatch(/\d+ w0k\d:\d+ e0/)
    // Before `healthy`, and after each fault.
    expect(told.match(/Enter goes on/g)).toHaveLength(3)
  })

  test('shows only records that are committed, up to the high watermark beside them, while clients go on', async () => {
    const views: ReplicaView[] = []
    const watcher: LabWatcher = {
      begins: () => undefined,
      entry: () => undefined,
      moment: async (_, { cluster, topic }) => void views.push(await viewReplicas(cluster, topic)),
      ask: async () => undefined,
    }
    await runLab('06-isr-and-high-watermark', { ...simulated, watcher })
    const logs = views
      .flatMap(({ partitions }) => partitions.flatMap(({ replicas }) => replicas))
      .flatMap(({ log }) => (log === undefined || log.highWatermark === null ? [] : [log]))
    expect(logs.filter(({ lastRecords }) => lastRecords.length > 0).length).toBeGreaterThan(3)
    for (const { logEndOffset, highWatermark, lastRecords } of logs) {
      expect(highWatermark).toBeLessThanOrEqual(logEndOffset)
      const shown = Math.min(5, highWatermark ?? 0)
      const expected = Array.from({ length: shown }, (__, index) => (highWatermark ?? 0) - shown + index)
      expect(lastRecords.map(({ offset }) => offset)).toEqual(expected)
    }
  })

  test('narrates without a pause when nobody wants to step', async () => {
    const { person, text } = play([])
    expect((await run(person, false)).variants[0]?.verdict).toBe('valid')
    expect(text()).toContain('== healthy')
    expect(text()).not.toContain('Enter goes on')
  })

  test('comes out the same however long somebody looks', async () => {
    const watched = await run(play(Array.from({ length: 20 }, () => '')).person, true)
    const again = await run(play(Array.from({ length: 20 }, () => '')).person, true)
    expect(again.variants[0]).toEqual(watched.variants[0])
  })

  test.each([
    ['q', 'stopped at a pause'],
    ['Ctrl-C', 'interrupted'],
  ])('ends cleanly at %s, and another one can be run', async (key, reason) => {
    const playing = play([key === 'q' ? 'q' : () => playing.person.keyboard.interrupt()])
    await expect(run(playing.person, true)).rejects.toThrow(reason)
    // The clock of this process is its own again, and so is a world for the next.
    expect(Math.abs(Date.now() - performance.timeOrigin - performance.now())).toBeLessThan(60_000)
    expect((await run(play([]).person, false)).variants[0]?.verdict).toBe('valid')
  })
})

describe('a fault that is to be found', () => {
  test('is told to nobody before the answer; right and wrong answers are told from each other', async () => {
    const capstone = await loadLab('32-capstone')
    // Broker 1 is dead, then it is cut off, then broker 2 is frozen; the last answer is wrong, and one was no choice.
    const { person, said } = play(['1', '1', '9', '3', '1', '1', '2'])
    const watcher = new InteractiveWatcher({ person, step: false, stop: () => undefined })
    const result = await runLab(capstone, { ...simulated, watcher })
    expect(result.variants[0]?.verdict).toBe('valid')
    const lines = said.join('\n').split('\n')
    const asked = lines.findIndex(line => line.includes('What is wrong?'))
    const before = lines.slice(0, asked).join('\n')
    expect(before).toContain('something breaks')
    expect(before).toMatch(/broker 1: no connection; the others call it gone/)
    expect(before).not.toMatch(/kill|dead/)
    const reveals = lines.flatMap(line => /== (it was .*)/.exec(line)?.[1] ?? [])
    expect(reveals).toEqual([
      'it was broker 1: its process is dead; so you said',
      'it was broker 1: it is cut off from the other nodes; so you said',
      'it was broker 2: it is frozen; you said broker 2: its process is dead',
    ])
  })

  test('needs no answer', async () => {
    const { person, text } = play(['', '', ''])
    const watcher = new InteractiveWatcher({ person, step: false, stop: () => undefined })
    const result = await runLab(await loadLab('32-capstone'), { ...simulated, watcher })
    expect(result.variants[0]?.verdict).toBe('valid')
    expect(text()).not.toContain('you said')
  })
})
