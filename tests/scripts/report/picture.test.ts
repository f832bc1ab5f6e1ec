import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { themes } from '#scripts/report/colours.ts'
import { encodeRun } from '#scripts/report/model/encode.ts'
import { Run } from '#scripts/report/model/run.ts'
import { drawChart } from '#scripts/report/picture/chart.ts'
import { drawOrder, OrderLook, orderLines } from '#scripts/report/picture/order.ts'
import { readoutAt } from '#scripts/report/picture/readout.ts'
import { Look } from '#scripts/report/picture/scene.ts'
import { clamp, pan, roundStep, ticks, timeLabel, zoom } from '#scripts/report/picture/window.ts'
import { Notes } from './drawn.ts'
import { longRun, losingRun } from './sample.ts'

async function losing(): Promise<{
  look: Look
  notes: Notes
  row: (kind: string, label?: string) => { y: number; height: number }
}> {
  const look = new Look(new Run(encodeRun('x', await losingRun())), 1_000)
  const notes = new Notes()
  drawChart(notes, look.scene)
  const row = (kind: string, label?: string) => {
    const found = look.scene.layout.rows.find(row => row.kind === kind && (label ?? row.label) === row.label)
    if (!found) throw new Error(`no row ${kind} ${label}`)
    return found
  }
  return { look, notes, row }
}

describe('a window on an axis', () => {
  const bounds = { from: 0, to: 1_000, least: 1 }
  const anyWindow = fc
    .tuple(fc.double({ min: 0, max: 900, noNaN: true }), fc.double({ min: 1, max: 1_000, noNaN: true }))
    .map(([from, length]) => clamp({ from, to: from + length }, bounds))

  test('never leaves its bounds, whatever is done to it', () => {
    const act = fc.oneof(
      fc.double({ min: 0.01, max: 100, noNaN: true }).map(factor => ({ factor })),
      fc.double({ min: -5_000, max: 5_000, noNaN: true }).map(by => ({ by })),
    )
    fc.assert(
      fc.property(
        anyWindow,
        fc.array(act, { maxLength: 20 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (begin, acts, share) => {
          let window = begin
          for (const one of acts)
            window =
              'factor' in one
                ? zoom(window, one.factor, window.from + share * (window.to - window.from), bounds)
                : pan(window, one.by, bounds)
          expect(window.from).toBeGreaterThanOrEqual(-1e-6)
          expect(window.to).toBeLessThanOrEqual(1_000 + 1e-6)
          expect(window.to - window.from).toBeGreaterThanOrEqual(1 - 1e-6)
        },
      ),
    )
  })

  test('keeps what is under the pointer there while it zooms in', () => {
    expect(zoom({ from: 100, to: 300 }, 0.5, 150, bounds)).toEqual({ from: 125, to: 225 })
  })

  test('has round ticks', () => {
    expect(ticks({ from: 130, to: 980 }, 5)).toEqual([200, 400, 600, 800])
    expect([0.7, 12, 260].map(roundStep)).toEqual([1, 20, 500])
    expect([timeLabel(1_500, 500), timeLabel(2.5, 0.5), timeLabel(20_000, 5_000)]).toEqual(['1.5 s', '2.5 ms', '20 s'])
  })
})

describe('the timeline', () => {
  test('has a lane per client, broker and partition, in which leaders are named with their epoch', async () => {
    const { notes } = await losing()
    for (const text of [
      'producer-0',
      'consumer-0',
      'broker 1',
      'broker 2',
      't-0',
      'broker 1 · epoch 0',
      'broker 2 · epoch 1',
    ])
      expect(notes.texts).toContain(text)
  })

  test('colours a leader by its broker and stripes every other epoch', async () => {
    const { notes, row } = await losing()
    const { y, height } = row('leader')
    const drawn = notes.between(y, y + height)
    expect(drawn.filter(({ what }) => what === 'rect').map(({ ink }) => ink)).toEqual(['b0', 'b0', 'b1', 'b1'])
    expect(drawn.filter(({ what }) => what === 'pattern')).toMatchObject([{ ink: 'on-b1', pattern: 'stripes' }])
  })

  test('draws a fault as a bar from its order to its end, and over everything', async () => {
    const { look, notes, row } = await losing()
    const { scale } = look.scene
    const { y, height } = row('faults')
    const [bar] = notes.between(y, y + height).filter(({ what }) => what === 'pattern')
    expect([bar?.x, (bar?.x ?? 0) + (bar?.width ?? 0)]).toEqual([scale(300), scale(1_400)])
    const bands = notes.all.filter(({ ink }) => ink === 'fault-band')
    expect(bands).toMatchObject([{ x: scale(300), width: scale(1_400) - scale(300) }])
    expect(bands[0]?.height).toBeGreaterThan(look.scene.layout.height * 0.7)
    expect(notes.texts).toContain('kill 1')
  })

  test('tells outcomes apart without colour: a failed or unknown operation has a pattern and a shape', async () => {
    const history = await losingRun()
    const changed = history.map(operation =>
      operation.index === 5 ? { ...operation, type: 'fail' as const } : operation.index === 10 ? { ...operation, type: 'info' as const } : operation,
    ) // prettier-ignore
    const look = new Look(new Run(encodeRun('x', changed)), 1_000)
    const notes = new Notes()
    drawChart(notes, look.scene)
    const lane = look.scene.layout.rows.find(({ label }) => label === 'producer-0')
    const drawn = notes.between(lane?.y ?? 0, (lane?.y ?? 0) + (lane?.height ?? 0))
    expect(drawn.filter(({ what }) => what === 'pattern').map(({ pattern }) => pattern ?? '').sort()).toEqual(['dots', 'stripes']) // prettier-ignore
    expect(drawn.flatMap(({ shape }) => shape ?? [])).toEqual(expect.arrayContaining(['cross', 'diamond']))
  })

  test('draws no more than there is room for: ten times the operations, hardly more strokes', () => {
    const strokes = (operations: number) => {
      const notes = new Notes()
      drawChart(notes, new Look(new Run(encodeRun('x', longRun(operations))), 1_000).scene)
      return notes.all.length
    }
    const [few, many] = [strokes(4_000), strokes(40_000)]
    expect(many).toBeLessThan(2 * few)
    expect(many).toBeLessThan(40_000)
  })

  test('shows only what the filter leaves', async () => {
    const { look } = await losing()
    expect(look.shownCount).toBe(5)
    const consumer = look.run.data.clients.findIndex(({ name }) => name === 'consumer-0')
    look.filter = { client: consumer }
    expect(look.shownCount).toBe(1)
    expect(look.scene.layout.rows.filter(({ kind }) => kind === 'client').map(({ label }) => label)).toEqual(['consumer-0']) // prettier-ignore
    look.filter = { kind: look.run.data.operations.kinds.indexOf('send'), outcome: 1 }
    expect(look.shownCount).toBe(0)
  })

  test('goes from an operation to the next of the same client, and to another client', async () => {
    const { look } = await losing()
    look.selected = look.neighbour(1)
    expect(look.selected).toBe(0)
    look.selected = look.neighbour(1)
    expect(look.run.touchesOf(look.selected as number)[0]?.values).toEqual(['k:lost'])
    const aside = look.aside(1) ?? look.aside(-1)
    expect(look.run.clientOf(aside as number)).toBe('consumer-0')
  })
})

describe('the readout', () => {
  test('names the operation under the pointer, and its records', async () => {
    const { look, row } = await losing()
    const lane = row('client', 'producer-0')
    const { operation, lines } = readoutAt(look.scene, look.scene.scale(205), lane.y + 10) ?? {}
    expect(operation).toBe(1)
    expect(lines).toContain('send by producer-0: ok, 12 ms')
    expect(lines).toContain('send t-0 at 1: k:lost')
  })

  test('says who led, who was in sync, how far the logs had come, and which fault was at work', async () => {
    const { look, row } = await losing()
    const lane = row('leader')
    const { lines } = readoutAt(look.scene, look.scene.scale(1_200), lane.y + 4) ?? {}
    expect(lines).toEqual(expect.arrayContaining([
      't-0: led by broker 2, epoch 1',
      'in sync: 2',
      'high watermark: 1',
      'log end offset, broker 2: 1',
      'at work: kill 1',
    ])) // prettier-ignore
  })

  test('says median and 99th percentile of the moment', async () => {
    const { look, row } = await losing()
    const { y } = row('latency')
    const { lines } = readoutAt(look.scene, look.scene.scale(130), y + 1) ?? {}
    expect(lines?.join()).toMatch(/p50 12 ms, p99 12 ms/)
  })
})

describe('the order view', () => {
  const box = { x: 0, y: 0, width: 600, height: 300 }

  test('has a row per operation in the order of time, and finds what is under the pointer', async () => {
    const look = new OrderLook(new Run(encodeRun('x', await losingRun())), 0)
    expect(look.operations).toHaveLength(5)
    const { x, y } = look.scales(box)
    expect(look.operationAt(box, x(1.5), y(1.5))).toEqual({ operation: 1, offset: 1 })
    expect(look.operationAt(box, x(1.5), y(4.5))).toEqual({ operation: 4, offset: 1 })
  })

  test('marks contested offsets at their head and names both values', async () => {
    const look = new OrderLook(new Run(encodeRun('x', await losingRun())), 0)
    const notes = new Notes()
    drawOrder(notes, look, box)
    const { x } = look.scales(box)
    expect(notes.all.filter(({ shape }) => shape === 'cross').map(drawn => drawn.x)).toEqual([x(1.5)])
    expect(notes.texts).toEqual(expect.arrayContaining(['w k:lost', 'w k:2', 'r k:2']))
    expect(orderLines(look, { operation: 1, offset: 1 })).toContain('offset 1 is contested: k:lost, k:2')
  })

  test('draws no more than there is room for', () => {
    const notes = new Notes()
    const look = new OrderLook(new Run(encodeRun('x', longRun(30_000))), 0)
    drawOrder(notes, look, box)
    expect(look.operations.length).toBeGreaterThan(9_000)
    expect(notes.all.length).toBeLessThan(6_000)
  })
})

describe('colours', () => {
  const luminance = (colour: string) => {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map(at => {
      const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  /** WCAG 2: 4.5 for text, 3 for lines and shapes. */
  const contrast = (one: string, other: string) => {
    const [bright = 0, dim = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a)
    return (bright + 0.05) / (dim + 0.05)
  }

  for (const [theme, colours] of Object.entries(themes)) {
    const colour = (name: string): string => colours[name] ?? 'missing'

    test(`of texts stand out from what is behind them, in ${theme}`, () => {
      const pairs = [
        ...['ink', 'soft', 'link', 'good', 'bad', 'open', 'fault', 'fail', 'starting', 'paused', 'down', 'p99', 'p50'].map(text => [text, 'card']),
        ...['ink', 'soft', 'link'].map(text => [text, 'page']),
        ...['good', 'bad', 'open'].map(text => [text, `${text}-soft`]),
        ['ink', 'band'], ['ink', 'line'], ['ink', 'up-soft'], ['ink', 'good-soft'], ['ink', 'bad-soft'], ['ink', 'open-soft'], ['card', 'ink'],
        ...Array.from({ length: 8 }, (_, broker) => [`on-b${broker}`, `b${broker}`]),
      ] as [string, string][] // prettier-ignore
      for (const [text, behind] of pairs)
        expect([text, behind, contrast(colour(text), colour(behind)) >= 4.5]).toEqual([text, behind, true])
    })

    test(`of lines and shapes stand out from the page, in ${theme}`, () => {
      const inks = ['send', 'poll', 'txn', 'info', 'fail', 'fault', 'mend', 'edge', 'mark', 'select', 'down', 'paused']
      for (const ink of [...inks, ...Array.from({ length: 8 }, (_, broker) => `b${broker}`)])
        expect({ ink, stands: contrast(colour(ink), colour('card')) >= 3 }).toEqual({ ink, stands: true })
    })
  }
})
