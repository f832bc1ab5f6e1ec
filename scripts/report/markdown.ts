/** Text inside Markdown. */

/**
 * What Markdown, its tables or the HTML in it would take for markup, where it stands; elsewhere it is left alone, since the text is read on
 * terminals too. A `_` within a word is none.
 */
const special = /[\\`*[\]|~]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])|<(?=[a-z/!?])|&(?=#?[a-z0-9]+;)/giu

/** On one line, and as it is: no table cell, link, emphasis or tag begins or ends in it. */
export function markdown(text: string): string {
  return text.replaceAll(/\s*[\r\n]\s*/g, ' ').replaceAll(special, character => `\\${character}`)
}
