/** The readout beside the pointer. */
import { element } from './dom.ts'

export class Tip {
  readonly #element = element('div', { class: 'tip', 'aria-hidden': 'true' })

  constructor() {
    this.#element.hidden = true
    document.body.append(this.#element)
  }

  show(lines: readonly string[], clientX: number, clientY: number): void {
    const tip = this.#element
    tip.replaceChildren(...lines.map(line => element('div', {}, line)))
    tip.hidden = false
    const { offsetWidth: width, offsetHeight: height } = tip
    const left = clientX + width + 24 > innerWidth ? clientX - width - 14 : clientX + 16
    tip.style.left = `${Math.max(4, left)}px`
    tip.style.top = `${Math.max(4, Math.min(clientY + 16, innerHeight - height - 8))}px`
  }

  hide(): void {
    this.#element.hidden = true
  }
}
