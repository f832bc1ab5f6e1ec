/**
 * The script of a report. The page is complete text without it: verdict, findings, checks, environment. This adds the pictures, and what leads
 * from a finding to them. It asks nothing of any network.
 */
import { Run } from '../model/run.ts'
import type { RunData } from '../model/run-data.ts'
import { Palette } from './canvas-painter.ts'
import { part, unpack } from './dom.ts'
import { Explorer } from './explorer.ts'
import { followTheme } from './theme.ts'
import { Tip } from './tip.ts'

const tip = new Tip()
let palette = new Palette()
const explorers = new Map<number, Promise<Explorer | undefined>>()

/** Pictures are made when their variant is looked at for the first time. */
function explorerOf(variant: number): Promise<Explorer | undefined> {
  let explorer = explorers.get(variant)
  if (!explorer) {
    explorer = makeExplorer(variant)
    explorers.set(variant, explorer)
  }
  return explorer
}

async function makeExplorer(variant: number): Promise<Explorer | undefined> {
  const packed = document.getElementById(`run-${variant}`)?.textContent
  const host = document.getElementById(`explorer-${variant}`)
  if (!packed || !host) return undefined
  const run = new Run((await unpack(packed)) as RunData)
  return new Explorer(host, run, { tip, palette: () => palette })
}

const tabs = [...document.querySelectorAll<HTMLButtonElement>('[role=tab]')]

async function showVariant(variant: number): Promise<Explorer | undefined> {
  for (const [index, tab] of tabs.entries()) {
    tab.setAttribute('aria-selected', String(index === variant))
    tab.tabIndex = index === variant ? 0 : -1
    part(`variant-${index}`).hidden = index !== variant
  }
  return await explorerOf(variant)
}

for (const [index, tab] of tabs.entries()) {
  tab.addEventListener('click', () => void showVariant(index))
  tab.addEventListener('keydown', event => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    const next = step === undefined ? undefined : (index + step + tabs.length) % tabs.length
    if (next === undefined) return
    event.preventDefault()
    tabs[next]?.focus()
    void showVariant(next)
  })
}

/** What leads to the pictures: entries (of a finding, or one), or a moment. */
document.addEventListener('click', event => {
  const target = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-variant]') : null
  if (!target) return
  const { variant, entries, partition, offsets, time } = target.dataset
  const numbers = (text: string | undefined) =>
    (text ?? '')
      .split(',')
      .filter(word => word !== '')
      .map(Number)
  void showVariant(Number(variant)).then(explorer => {
    if (entries !== undefined)
      explorer?.showEntries(
        numbers(entries),
        partition === undefined ? undefined : { partition, offsets: numbers(offsets) },
      )
    else if (time !== undefined) explorer?.showTime(Number(time))
  })
})

followTheme(() => {
  palette = new Palette()
  for (const explorer of explorers.values()) void explorer.then(made => made?.redraw())
})

document.documentElement.classList.add('scripted')
const wanted = tabs.findIndex(tab => `#${tab.dataset['name']}` === decodeURIComponent(location.hash))
await showVariant(Math.max(0, wanted))
requestAnimationFrame(() =>
  requestAnimationFrame(() => {
    performance.mark('report-ready')
    document.documentElement.dataset['ready'] = 'true'
  }),
)
