/** Light and dark: as the system has it until the reader chooses. On paper always light. */
import { part } from './dom.ts'

export function followTheme(changed: () => void): void {
  const root = document.documentElement
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const toggle = part('theme')
  const isDark = () => (root.dataset['theme'] === undefined ? dark.matches : root.dataset['theme'] === 'dark')
  const say = () => {
    toggle.textContent = isDark() ? 'light colours' : 'dark colours'
  }
  toggle.hidden = false
  toggle.addEventListener('click', () => {
    root.dataset['theme'] = isDark() ? 'light' : 'dark'
    say()
    changed()
  })
  dark.addEventListener('change', () => {
    say()
    changed()
  })
  let chosen: string | undefined
  addEventListener('beforeprint', () => {
    chosen = root.dataset['theme']
    root.dataset['theme'] = 'light'
    changed()
  })
  addEventListener('afterprint', () => {
    if (chosen === undefined) delete root.dataset['theme']
    else root.dataset['theme'] = chosen
    changed()
  })
  say()
}
