/** The report in a real browser: Chromium opens the file, and what people do with it is done. */
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import type { Locator, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { reportHtml } from '#scripts/report/html.ts'
import { pageScript } from '#scripts/report/page-script.ts'
import { describeWith } from '#tests/machine.ts'
import { useChromium } from './browser.ts'
import { longRun, losingRun, resultOf, run, variantOf } from './sample.ts'

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** A lab with a variant that nothing is known of, and a control that lost a record. */
async function lab(): Promise<string> {
  const [kept, lost] = [await run(), await losingRun()]
  const result = resultOf([variantOf('main', 'main', kept), variantOf('acks-1', 'control', lost)], {
    verdict: 'invalid',
    reason: 'One acknowledged record was lost.',
  })
  return reportHtml(result, [kept, lost], await pageScript())
}

/** A busy machine may take its time for a frame. */
const patient = { timeout: 120_000 }

async function windowOf(canvas: Locator): Promise<{ from: number; to: number }> {
  const read = async (name: string) => Number(await canvas.getAttribute(name))
  return { from: await read('data-from'), to: await read('data-to') }
}

/** Does something and waits until the timeline shows another part of the run. */
async function moved(canvas: Locator, act: () => Promise<void>): Promise<{ from: number; to: number }> {
  const before = await windowOf(canvas)
  await act()
  await expect.poll(async () => await windowOf(canvas), patient).not.toEqual(before)
  return await windowOf(canvas)
}

interface Violation {
  readonly id: string
  readonly impact: string | null
  readonly nodes: readonly { readonly target: readonly string[]; readonly failureSummary?: string }[]
}

async function seriousViolations(page: Page): Promise<string[]> {
  await page.evaluate(axeSource)
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: unknown[] }> } }
    return (await axe.run()).violations
  })
  return (violations as Violation[])
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id} at ${target.join(' ')}: ${failureSummary}`),
    )
}

describeWith(['chromium'], 'the report in Chromium', () => {
  const reports = useChromium()

  test('opens without a word on the console and without any request, and says the verdict first', async () => {
    const { page, complaints, requests } = await reports.open(await lab())
    expect(await page.locator('main').innerText()).toMatch(/^✗ INVALID\s+One acknowledged record was lost\./)
    expect(await page.locator('canvas.timeline:visible').count()).toBe(1)
    expect(complaints).toEqual([])
    expect(requests).toEqual([])
    await page.context().close()
  })

  test('zooms and moves by keyboard and by mouse', async () => {
    const { page, complaints } = await reports.open(await lab())
    const canvas = page.locator('canvas.timeline:visible')
    const whole = await windowOf(canvas)
    expect(whole).toEqual({ from: 0, to: 2_000 })
    await canvas.focus()
    const nearer = await moved(canvas, () => page.keyboard.press('+'))
    expect(nearer.to - nearer.from).toBeLessThan(2_000)
    const later = await moved(canvas, () => page.keyboard.press('ArrowRight'))
    expect(later.from).toBeGreaterThan(nearer.from)
    expect(later.to - later.from).toBeCloseTo(nearer.to - nearer.from, 0)
    expect(await moved(canvas, () => page.keyboard.press('0'))).toEqual(whole)
    await canvas.hover({ position: { x: 400, y: 60 } })
    const byWheel = await moved(canvas, async () => {
      await page.keyboard.down('Control')
      await page.mouse.wheel(0, -400)
      await page.keyboard.up('Control')
    })
    expect(byWheel.to - byWheel.from).toBeLessThan(2_000)
    const dragged = await moved(canvas, async () => {
      await page.mouse.down()
      await page.mouse.move(300, 300, { steps: 3 })
      await page.mouse.up()
    })
    expect(dragged.to - dragged.from).toBeCloseTo(byWheel.to - byWheel.from, 0)
    expect(complaints).toEqual([])
    await page.context().close()
  })

  test('leads from a finding to its operations, in the timeline and in the order view', async () => {
    const { page, complaints } = await reports.open(await lab())
    await page.getByRole('tab', { name: /acks-1/ }).click()
    await page.locator('.show:visible').first().click()
    const detail = page.locator('.detail:visible')
    await expect.poll(() => detail.innerText(), patient).toContain('Operations of this finding')
    const chosen = await detail.locator('.picks').first().innerText()
    expect(chosen).toMatch(/send by producer-0/)
    expect(chosen).toMatch(/poll by consumer-0/)
    expect(await detail.innerText()).toMatch(/t-0\s+1\s+k:lost/)
    const canvas = page.locator('canvas.timeline:visible')
    expect(await page.evaluate('document.activeElement?.className')).toBe('timeline')
    const { from, to } = await windowOf(canvas)
    expect(from).toBeLessThan(200)
    expect(to).toBeGreaterThanOrEqual(2_040)
    const order = page.locator('section[aria-labelledby$=-order]:visible')
    expect(await order.locator('select').locator('option:checked').innerText()).toContain('1 contested')
    expect(complaints).toEqual([])
    await page.context().close()
  })

  test('shows what is under the pointer, and an operation that is clicked or gone to by keyboard', async () => {
    const { page } = await reports.open(await lab())
    await page.getByRole('tab', { name: /acks-1/ }).click()
    const canvas = page.locator('canvas.timeline:visible')
    await canvas.focus()
    await page.keyboard.press('n')
    const status = page.locator('.explorer:visible .status').first()
    await expect.poll(() => status.innerText(), patient).toContain('send by producer-0: ok, 12 ms; send t-0 at 0: k:0')
    await page.keyboard.press('n')
    await expect.poll(() => status.innerText(), patient).toContain('k:lost')
    await canvas.hover({ position: { x: 600, y: 10 } })
    expect(await page.locator('.tip').innerText()).toMatch(/s|ms/)
    await page.locator('.explorer:visible').getByLabel('outcome').selectOption({ label: 'failed' })
    await expect.poll(() => status.innerText(), patient).toContain('0 of 5 operations')
    await page.context().close()
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    test(`has no serious violation of accessibility rules in ${colorScheme} colours`, async () => {
      const { page } = await reports.open(await lab(), { colorScheme })
      await page.getByRole('tab', { name: /acks-1/ }).click()
      await page.locator('.show:visible').first().click()
      for (const details of await page.locator('details').all())
        await details.evaluate(element => element.setAttribute('open', ''))
      expect(await seriousViolations(page)).toEqual([])
      await page.context().close()
    })
  }

  test('changes between light and dark, pictures included', async () => {
    const { page } = await reports.open(await lab(), { colorScheme: 'light' })
    const background = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor')
    const picture = () =>
      page
        .locator('canvas.timeline:visible')
        .evaluate(canvas => (canvas as unknown as { toDataURL(): string }).toDataURL())
    const [before, pictureBefore] = [await background(), await picture()]
    await page.getByRole('button', { name: 'dark colours' }).click()
    expect(await background()).not.toBe(before)
    expect(await picture()).not.toBe(pictureBefore)
    expect(await page.getByRole('button', { name: 'light colours' }).count()).toBe(1)
    await page.context().close()
  })

  test('fits a screen of 360 pixels: nothing but tables scrolls sideways', async () => {
    const { page, complaints } = await reports.open(await lab(), { viewport: { width: 360, height: 740 } })
    await page.getByRole('tab', { name: /acks-1/ }).click()
    await page.locator('.show:visible').first().click()
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360)
    expect(complaints).toEqual([])
    await page.context().close()
  })

  test('is text alone without scripts: verdict, findings and events can be read', async () => {
    const html = (await lab()).replace('<html lang="en">', '<html lang="en" data-ready>')
    const { page } = await reports.open(html, { javaScriptEnabled: false })
    const text = await page.locator('body').innerText()
    expect(text).toContain('INVALID')
    expect(text).toContain('k:lost')
    expect(text).toContain('What happened to the cluster, in words')
    await page.context().close()
  })

  test('opens a hundred thousand operations without an element for any of them', { timeout: 240_000 }, async () => {
    const history = longRun(100_000)
    const variant = { ...variantOf('main', 'main', await run()), operations: history.length }
    const html = reportHtml(resultOf([variant]), [history], await pageScript())
    const { page, complaints } = await reports.open(html)
    const readyMs = await page.evaluate<number>("performance.getEntriesByName('report-ready')[0].startTime")
    const elements = await page.evaluate<number>("document.querySelectorAll('*').length")
    process.stderr.write(`report: ${(html.length / 2 ** 20).toFixed(1)} MiB of HTML, ready after ${readyMs.toFixed(0)} ms, ${elements} elements\n`) // prettier-ignore
    expect(elements).toBeLessThan(3_000)
    expect(await page.locator('.explorer .status').first().innerText()).toContain('100 000 operations')
    const canvas = page.locator('canvas.timeline:visible')
    await canvas.focus()
    for (let step = 0; step < 5; step += 1) await moved(canvas, () => page.keyboard.press('+'))
    expect(complaints).toEqual([])
    await page.context().close()
  })
})
