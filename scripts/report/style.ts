/** The style sheet of the report. */
import { properties, themes } from './colours.ts'

const light = properties(themes.light)
const dark = properties(themes.dark)
const brokers = Array.from({ length: 8 }, (_, index) => `.key.b${index} { background: var(--b${index}) }`).join(' ')

export const style = `
:root { color-scheme: light; ${light} }
@media (prefers-color-scheme: dark) { :root:not([data-theme=light]) { color-scheme: dark; ${dark} } }
:root[data-theme=dark] { color-scheme: dark; ${dark} }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif }
header, main, footer { max-width: 1320px; margin: 0 auto; padding: 0 24px }
header { display: flex; align-items: baseline; gap: 4px 16px; flex-wrap: wrap; padding-top: 24px; margin-bottom: 14px }
main header, main footer { padding-left: 0; padding-right: 0 } footer { color: var(--soft); font-size: 13px; padding-bottom: 60px }
h1 { font-size: 26px; margin: 0; letter-spacing: -.01em; overflow-wrap: anywhere } h2 { font-size: 18px; margin: 0 0 10px } h3 { font-size: 16px; margin: 28px 0 8px } h4 { font-size: 15px; margin: 14px 0 6px }
a, summary { color: var(--link) } a { text-underline-offset: 2px } summary { cursor: pointer }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px }
.skip { position: absolute; left: -999px } .skip:focus { left: 12px; top: 8px; background: var(--card); padding: 6px 12px; z-index: 10 }
.where, .soft, figcaption, caption { color: var(--soft) } .soft { font-size: 13px }
button { font: inherit; font-size: 13px; color: var(--ink); background: var(--card); border: 1px solid var(--edge); border-radius: 6px; padding: 3px 10px; cursor: pointer; min-height: 28px } button:hover { border-color: var(--ink) }
#theme { margin-left: auto }
.verdict { border-radius: 12px; padding: 16px 22px; margin-bottom: 20px; border-left: 8px solid } .verdict h2 { font-size: 28px; margin: 0; line-height: 1.2 } .verdict p { margin: 4px 0 0; font-weight: 600; overflow-wrap: anywhere }
.verdict.valid { background: var(--good-soft); border-color: var(--good) } .verdict.valid h2 { color: var(--good) }
.verdict.invalid { background: var(--bad-soft); border-color: var(--bad) } .verdict.invalid h2 { color: var(--bad) }
.verdict.unknown, .verdict.skipped { background: var(--open-soft); border-color: var(--open) } .verdict.unknown h2, .verdict.skipped h2 { color: var(--open) }
.card, .variant { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 20px 22px; margin-bottom: 20px }
.choices { list-style: none; padding: 0; margin: 10px 0 } .choices li { padding: 5px 12px 5px 34px; position: relative; border-radius: 7px; margin: 2px 0 } .choices li::before { content: "○"; position: absolute; left: 12px }
.choices li.answer { background: var(--good-soft); font-weight: 600 } .choices li.answer::before { content: "✓"; color: var(--good) }
.choices li.wrong { background: var(--bad-soft) } .choices li.wrong::before { content: "✗"; color: var(--bad) } .choices em { font-weight: 400; color: var(--soft); font-size: 13px }
.question { font-size: 16px; margin: 0 } .question, .prose { max-width: 75em } .prose li { margin: 3px 0 }
.tabs { display: none } .scripted .tabs { display: flex; gap: 6px; flex-wrap: wrap } .tabs button { background: transparent; border-color: transparent; border-radius: 10px 10px 0 0; padding: 8px 16px; font-size: 15px; margin-bottom: -1px } .tabs button[aria-selected=true] { background: var(--card); border-color: var(--line); border-bottom-color: var(--card); font-weight: 600; text-decoration: underline; text-underline-offset: 5px; text-decoration-thickness: 2px }
.scripted .variant { border-top-left-radius: 0 } .variant[hidden] { display: none }
.badge { display: inline-block; border-radius: 999px; padding: 0 9px; font-size: 12.5px; font-weight: 600; line-height: 21px; white-space: nowrap } .badge.good { background: var(--good-soft); color: var(--good) } .badge.bad { background: var(--bad-soft); color: var(--bad) } .badge.open { background: var(--open-soft); color: var(--open) }
.trouble { background: var(--open-soft); border-radius: 8px; padding: 8px 14px; overflow-wrap: anywhere }
.tiles { list-style: none; padding: 0; display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; margin: 0 0 18px } .tiles li { border: 1px solid var(--line); border-radius: 10px; padding: 9px 14px } .tiles b { display: block; font-size: 22px; font-variant-numeric: tabular-nums; line-height: 1.25 } .tiles span { color: var(--soft); font-size: 13px } .tiles .bad b { color: var(--bad) }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-size: 13px } caption { text-align: left; padding: 2px 0 } th { text-align: left; font-weight: 600 } td, th { padding: 3px 12px 3px 0; vertical-align: top } thead th { color: var(--soft); border-bottom: 1px solid var(--line) }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums } .who { white-space: nowrap; color: var(--soft) } .what, .log td, .log th, pre, code { font-family: ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; font-size: 12.5px } .what { overflow-wrap: anywhere; min-width: 24em } tr.nemesis .what { color: var(--fault); font-weight: 600 }
.entry { font-size: 12.5px; padding: 0 6px; min-height: 24px } html:not(.scripted) .entry, html:not(.scripted) .show { border: 0; background: none; color: inherit; padding: 0; pointer-events: none } html:not(.scripted) .show { display: none }
.type { font-weight: 600 } .type.ok { color: var(--good) } .type.fail { color: var(--bad) } .type.info, .type.open { color: var(--open) } .type.invoke { color: var(--soft); font-weight: 400 }
.finding { border-left: 4px solid var(--bad); padding-left: 16px; margin: 16px 0 } .finding .mark, .log .mark { color: var(--bad) } .case { border-top: 1px solid var(--line); padding: 8px 0 } html .case > summary { color: var(--ink); overflow-wrap: anywhere } .case p { margin: 4px 0 8px; overflow-wrap: anywhere } .log { margin-top: 8px } .log td, .log th { padding-right: 18px; white-space: nowrap } .log .concerned { background: var(--bad-soft) } .log .hole { color: var(--soft) }
.check { border-top: 1px solid var(--line); padding: 8px 0; display: grid; grid-template-columns: 24px 200px 1fr; gap: 2px 8px } .check .mark { font-weight: 700 } .check.true .mark { color: var(--good) } .check.false .mark { color: var(--bad) } .check.unknown .mark { color: var(--open) } .check .name { font-weight: 600; overflow-wrap: anywhere } .check .says { min-width: 0; overflow-wrap: anywhere } .figures { color: var(--soft); font-size: 13px }
.toolbar { display: flex; flex-wrap: wrap; gap: 6px 8px; align-items: center; margin: 8px 0; font-size: 13px } .toolbar button { min-width: 32px } .filters { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: center } .toolbar label { display: inline-flex; align-items: center; gap: 4px; max-width: 100% } select, input { font: inherit; font-size: 13px; color: var(--ink); background: var(--card); border: 1px solid var(--edge); border-radius: 6px; padding: 3px 6px; max-width: 220px; min-width: 0 } input[aria-invalid=true] { border-color: var(--bad); border-width: 2px }
.chart { position: relative; overflow: hidden } canvas { display: block; width: 100%; touch-action: pan-y; background: var(--card) } canvas.order { height: 340px; border: 1px solid var(--line) } .cursor { position: absolute; top: 0; bottom: 0; width: 1px; background: var(--ink); opacity: .45; pointer-events: none; display: none }
.tip { position: fixed; pointer-events: none; background: var(--ink); color: var(--card); font-size: 12.5px; line-height: 1.4; padding: 5px 10px; border-radius: 6px; max-width: min(440px, 90vw); overflow-wrap: anywhere; z-index: 9 } .tip div:first-child { font-weight: 600 } .tip[hidden] { display: none }
.status { font-size: 13px; margin: 6px 0; overflow-wrap: anywhere; min-height: 1.5em } .keys { margin: 4px 0 12px; max-width: 90em } .detail { border: 1px solid var(--line); border-radius: 10px; padding: 8px 16px; min-height: 48px } .detail table { margin: 6px 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; margin: 6px 0 } dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere; min-width: 0 } .picks { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 6px; margin: 6px 0 } pre { overflow-x: auto; background: var(--band); border-radius: 8px; padding: 10px 14px; margin: 0 0 12px }
.legend ul { list-style: none; padding: 0; margin: 6px 0; display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px } .legend li { display: flex; align-items: center; gap: 6px } .key { display: inline-block; width: 22px; height: 12px } .key.low { height: 7px; align-self: center } .key.controller { height: 4px; background: var(--ink) } ${brokers}
.key.send { background: var(--send) } .key.poll { background: var(--poll) } .key.striped { border: 1px solid } .key.info { color: var(--info) } .key.fault { color: var(--fault) } .key.down { color: var(--down) } .key.striped, .key.odd { background-image: repeating-linear-gradient(135deg, currentColor 0 1.5px, transparent 1.5px 5px) } .key.odd { color: var(--on-b0) } .key.dotted { border: 1px solid; background-image: radial-gradient(currentColor 1px, transparent 1.2px); background-size: 4px 4px } .key.fail { color: var(--fail) } .key.paused { color: var(--paused) }
.line { display: inline-block; width: 26px; border-top: 2px dashed var(--ink) } .line.lso { border-top-style: dotted } .line.start { border-top: 1px dashed var(--soft) } .line.out { border-top: 1px dashed var(--fail) }
@media (max-width: 720px) { header, main, footer { padding-left: 12px; padding-right: 12px } .card, .variant { padding: 14px 12px } .check { grid-template-columns: 20px 1fr } .check .says { grid-column: 2 } .keys { display: none } .verdict { padding: 12px 14px } .finding { padding-left: 10px } dl { grid-template-columns: 1fr } dt { margin-top: 4px } }
@media (prefers-reduced-motion: reduce) { * { scroll-behavior: auto; transition: none; animation: none } }
@media print { body { background: #fff; font-size: 12px } #theme, .skip, .tabs, .scripted .tabs, .toolbar, .keys, .status, .tip, .show { display: none } .card, .variant { border: 0; padding: 0; break-inside: auto } .variant[hidden] { display: block } canvas, .case, .check, tr, .tiles li { break-inside: avoid } .scroll { overflow: visible } table { width: 100% } .log td, .log th, .who { white-space: normal } .what { min-width: 0 } details:not([open]) > :not(summary) { display: none } a[href^=http]::after { content: " (" attr(href) ")"; overflow-wrap: anywhere } }
`
