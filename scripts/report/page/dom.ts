/** Small tools for the page: elements, and what the page holds for its script. */

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

/** An element with attributes and children; `false` and `undefined` leave an attribute out. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : String(value))
  made.append(...children)
  return made
}

export function button(label: string, title: string, act: () => void): HTMLButtonElement {
  const made = element('button', { type: 'button', title, 'aria-label': title }, label)
  made.addEventListener('click', act)
  return made
}

/** The part of the page with this id. */
export function part(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (!found) throw new Error(`the report has no part ${id}`)
  return found
}

/** Calls `draw` with the next frame, however often it is asked until then. */
export function withNextFrame(draw: () => void): () => void {
  let isPlanned = false
  return () => {
    if (isPlanned) return
    isPlanned = true
    requestAnimationFrame(() => {
      isPlanned = false
      draw()
    })
  }
}

/** Unpacks what the page holds: JSON, deflated, in base64. */
export async function unpack(text: string): Promise<unknown> {
  const packed = Uint8Array.from(atob(text), character => character.charCodeAt(0))
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'))
  return await new Response(stream).json()
}
