/** The style sheet of the report: one set of names for colours, given twice, for light and for dark. */
const light = `
  --page: #f6f7f9; --card: #ffffff; --ink: #1b2129; --soft: #5c6773; --faint: #97a1ad; --line: #e2e6eb; --band: #eef1f5;
  --good: #1a7f4b; --good-soft: #d9f2e4; --bad: #c2303a; --bad-soft: #fbe1e2; --open: #9a6700; --open-soft: #fdf0cf;
  --up: #a9c8bb; --starting: #e3d9b4; --paused: #e5a646; --down: #d85a62; --controller: #20303f;
  --in-sync: #3c9d74; --out-of-sync: #e7b9bb; --producer: #4c78c8; --consumer: #8a6cc0; --rate: #7fa6dc; --gap: #d85a62;
  --e0: #4c78a8; --e1: #e1812c; --e2: #3a923a; --e3: #b0559b; --e4: #1b8a9b; --e5: #a5762a; --e6: #6f63b5; --e7: #c5485a;
  --r0: #4c78c8; --r1: #e1812c; --r2: #3a923a; --r3: #b0559b; --r4: #1b8a9b; --on-epoch: #ffffff; --link: #2a62b8;`

const dark = `
  --page: #12161b; --card: #1a2027; --ink: #e4e8ed; --soft: #a3adb9; --faint: #6d7986; --line: #2c343e; --band: #20272f;
  --good: #5fd39b; --good-soft: #17352a; --bad: #ff8088; --bad-soft: #43212a; --open: #f0c35a; --open-soft: #3a3118;
  --up: #2f5d4c; --starting: #5d562f; --paused: #b57c22; --down: #b3434c; --controller: #eef2f6;
  --in-sync: #46b585; --out-of-sync: #6b3a40; --producer: #7ba3ec; --consumer: #b197e6; --rate: #3f6aa6; --gap: #e06a73;
  --e0: #3f6c9e; --e1: #b5611c; --e2: #347d38; --e3: #974787; --e4: #187887; --e5: #8a6424; --e6: #5f55a3; --e7: #a93d4e;
  --r0: #7ba3ec; --r1: #f0994a; --r2: #66bd66; --r3: #d284bf; --r4: #4bb9ca; --on-epoch: #ffffff; --link: #8ab4ff;`

export const style = `
:root { color-scheme: light; ${light} }
@media (prefers-color-scheme: dark) { :root:not([data-theme=light]) { color-scheme: dark; ${dark} } }
:root[data-theme=dark] { color-scheme: dark; ${dark} }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif }
main { max-width: 1240px; margin: 0 auto; padding: 28px 24px 80px }
a { color: var(--link) }
header { display: flex; align-items: baseline; gap: 16px; flex-wrap: wrap; margin-bottom: 14px }
header h1 { font-size: 26px; margin: 0; letter-spacing: -.01em }
header .where { color: var(--soft) }
header button { margin-left: auto; font: inherit; font-size: 13px; color: var(--soft); background: none; border: 1px solid var(--line); border-radius: 6px; padding: 3px 10px; cursor: pointer }
.verdict { border-radius: 12px; padding: 18px 22px; display: grid; grid-template-columns: auto 1fr; gap: 4px 18px; align-items: center; margin-bottom: 22px }
.verdict .word { font-size: 30px; font-weight: 700; letter-spacing: .01em; grid-row: span 2; line-height: 1 }
.verdict.valid { background: var(--good-soft) } .verdict.valid .word { color: var(--good) }
.verdict.invalid { background: var(--bad-soft) } .verdict.invalid .word { color: var(--bad) }
.verdict.unknown, .verdict.skipped { background: var(--open-soft) } .verdict.unknown .word, .verdict.skipped .word { color: var(--open) }
.verdict .reason { font-weight: 600 }
.verdict .promise { color: var(--soft) }
section.card, .tabs + .variant { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 20px 22px; margin-bottom: 20px }
h2 { font-size: 18px; margin: 0 0 10px } h3 { font-size: 15px; margin: 26px 0 8px }
.choices { list-style: none; padding: 0; margin: 10px 0 }
.choices li { padding: 5px 12px 5px 34px; position: relative; border-radius: 7px; margin: 2px 0; color: var(--soft) }
.choices li::before { content: "○"; position: absolute; left: 12px }
.choices li.answer { background: var(--good-soft); color: var(--ink); font-weight: 600 } .choices li.answer::before { content: "✓"; color: var(--good) }
.choices li.wrong { background: var(--bad-soft); color: var(--ink) } .choices li.wrong::before { content: "✗"; color: var(--bad) }
.choices em { font-style: normal; font-weight: 400; color: var(--soft); margin-left: 8px; font-size: 13px }
.question { font-size: 16px; margin: 0; max-width: 75em }
details > summary { cursor: pointer; color: var(--link) }
.prose { max-width: 75em } .prose li { margin: 3px 0 }
.tabs { display: flex; gap: 6px; flex-wrap: wrap; margin-bottom: -1px; position: relative; z-index: 1 }
.tabs button { font: inherit; color: var(--soft); background: transparent; border: 1px solid transparent; border-radius: 10px 10px 0 0; padding: 8px 16px; cursor: pointer }
.tabs button[aria-selected=true] { background: var(--card); border-color: var(--line); border-bottom-color: var(--card); color: var(--ink); font-weight: 600 }
.variants > .variant { background: var(--card); border: 1px solid var(--line); border-radius: 0 12px 12px 12px; padding: 20px 22px; margin-bottom: 20px }
.variants > .variant[hidden] { display: none }
.badge { display: inline-block; border-radius: 999px; padding: 0 9px; font-size: 12.5px; font-weight: 600; line-height: 20px; vertical-align: 1px }
.badge.good { background: var(--good-soft); color: var(--good) } .badge.bad { background: var(--bad-soft); color: var(--bad) } .badge.open { background: var(--open-soft); color: var(--open) }
.lead { margin: 0 0 14px } .trouble { background: var(--open-soft); border-radius: 8px; padding: 8px 14px; overflow-wrap: anywhere }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; margin: 0 0 18px }
.tiles div { border: 1px solid var(--line); border-radius: 10px; padding: 9px 14px }
.tiles b { display: block; font-size: 22px; font-weight: 650; letter-spacing: -.01em; font-variant-numeric: tabular-nums; line-height: 1.25 }
.tiles span { color: var(--soft); font-size: 13px } .tiles .bad b { color: var(--bad) }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; color: var(--soft); font-size: 12.5px; margin: 6px 0 12px }
.legend i { display: inline-block; width: 14px; height: 10px; border-radius: 2px; margin-right: 5px; vertical-align: -1px }
.scroll { overflow-x: auto }
svg { display: block; width: 100%; min-width: 860px; height: auto; font: 11px system-ui, "Liberation Sans", sans-serif }
svg .heading { font-size: 12px; font-weight: 650; fill: var(--ink) } svg .label { fill: var(--soft) } svg .tick { stroke: var(--line); stroke-width: 1 } svg .axis { pointer-events: none }
svg .tick-text { fill: var(--faint) } svg .band { fill: var(--band) } svg .lane { fill: none }
svg .step rect { fill: var(--band); stroke: var(--line) } svg .step text { fill: var(--ink) }
svg .flag rect { fill: var(--card); stroke: var(--faint) } svg .flag.breaks rect { fill: var(--bad-soft); stroke: var(--bad) } svg .flag.breaks text { fill: var(--bad); font-weight: 600 }
svg .flag.mends rect { fill: var(--good-soft); stroke: var(--good) } svg .flag.mends text { fill: var(--good) }
svg .fault-line { stroke-width: 1; stroke-dasharray: 3 3; opacity: .55 } svg .fault-line.breaks { stroke: var(--bad) } svg .fault-line.mends { stroke: var(--good) }
svg .state { rx: 2px } svg .up { fill: var(--up) } svg .starting { fill: var(--starting) } svg .paused { fill: var(--paused) } svg .down { fill: var(--down) } svg .controller { fill: var(--controller) }
svg .leaderless { fill: var(--card); stroke: var(--bad); stroke-dasharray: 3 2 } svg .on-epoch { fill: var(--on-epoch); font-weight: 600; pointer-events: none }
${Array.from({ length: 8 }, (_, index) => `svg .e${index} { fill: var(--e${index}) }`).join(' ')}
svg .epoch { stroke: var(--card); stroke-width: 1 } svg .in-sync { fill: var(--in-sync) } svg .out-of-sync { fill: var(--out-of-sync) }
svg .operation.producer.ok { fill: var(--producer) } svg .operation.consumer.ok { fill: var(--consumer) } svg .operation.info { fill: var(--paused) } svg .operation.fail { fill: var(--down) }
svg .operation.ok { opacity: .75 } svg .retired { fill: var(--card); stroke: var(--bad); stroke-width: 1.5 }
svg .rate { fill: var(--rate); opacity: .8 } svg .gap { fill: var(--gap); opacity: .16 } svg .gap-text { fill: var(--bad); font-weight: 600; pointer-events: none }
svg .cursor { stroke: var(--ink); stroke-width: 1; opacity: .35; pointer-events: none }
svg polyline { fill: none; stroke-width: 1.6; stroke-linejoin: round } svg .watermark { stroke: var(--ink); stroke-dasharray: 4 3; stroke-width: 1.3 }
svg .stable { stroke: var(--ink); stroke-dasharray: 1 3; stroke-width: 1.3 }
${Array.from({ length: 5 }, (_, index) => `svg .r${index} { stroke: var(--r${index}) }`).join(' ')}
#tip { position: fixed; pointer-events: none; background: var(--ink); color: var(--card); font-size: 12.5px; line-height: 1.4; padding: 4px 9px; border-radius: 6px; max-width: 420px; opacity: 0; z-index: 9 }
.check { border-top: 1px solid var(--line); padding: 9px 0; display: grid; grid-template-columns: 24px 200px 1fr; gap: 2px 8px } .check:first-of-type { border-top: 0 }
.check .mark { font-weight: 700 } .check.true .mark { color: var(--good) } .check.false .mark { color: var(--bad) } .check.unknown .mark { color: var(--open) }
.check .name { font-weight: 600; overflow-wrap: anywhere } .check.true .says { color: var(--soft) } .check .more { grid-column: 3; min-width: 0 } .figures { color: var(--soft); font-size: 13px }
.case { border-left: 3px solid var(--bad); padding: 2px 0 2px 14px; margin: 12px 0 } .case p { margin: 0 0 6px; overflow-wrap: anywhere }
table { border-collapse: collapse; font-size: 13px; width: 100% } td { padding: 3px 10px 3px 0; vertical-align: top; overflow-wrap: anywhere } td.number { color: var(--faint); text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
td.who { white-space: nowrap; color: var(--soft) } td.what { font-family: ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; font-size: 12.5px } tr.nemesis td.what { color: var(--bad) } tr.observer td.what { color: var(--soft) }
.type { font-weight: 600 } .type.ok { color: var(--good) } .type.fail { color: var(--bad) } .type.info { color: var(--open) } .type.invoke { color: var(--faint); font-weight: 400 }
footer { color: var(--faint); font-size: 13px }
@media (max-width: 720px) { .check { grid-template-columns: 24px 1fr } .check .says, .check .more { grid-column: 2 } main { padding: 18px 12px } }
@media print { header button { display: none } .variants > .variant[hidden] { display: block } }
`

/** Tabs, tooltips, the cursor through the timeline, light and dark. Everything is readable without it. */
export const script = `
const tip = document.getElementById('tip')
document.addEventListener('pointermove', event => {
  const target = event.target instanceof Element ? event.target.closest('[data-tip]') : null
  tip.style.opacity = target ? 1 : 0
  if (target) {
    tip.textContent = target.dataset.tip
    const right = event.clientX + tip.offsetWidth + 24 > innerWidth
    tip.style.left = (right ? event.clientX - tip.offsetWidth - 12 : event.clientX + 14) + 'px'
    tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + 'px'
  }
  const svg = event.target instanceof Element ? event.target.closest('svg.timeline') : null
  if (!svg) return
  const box = svg.getBoundingClientRect(), line = svg.querySelector('.cursor')
  const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width
  line.setAttribute('x1', x); line.setAttribute('x2', x)
})
const tabs = [...document.querySelectorAll('.tabs button')]
for (const tab of tabs) tab.addEventListener('click', () => {
  for (const other of tabs) {
    other.setAttribute('aria-selected', other === tab)
    document.getElementById(other.dataset.variant).hidden = other !== tab
  }
})
tabs.find(tab => '#' + tab.dataset.variant === location.hash)?.click()
document.getElementById('theme').addEventListener('click', () => {
  const root = document.documentElement
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
  root.dataset.theme = dark ? 'light' : 'dark'
})
`
