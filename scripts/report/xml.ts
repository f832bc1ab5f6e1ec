/** Text inside XML 1.0. */
import { escape } from './text.ts'

/**
 * What XML cannot hold even when it is escaped: control characters, such as those of colours in the message of a command, halves of surrogate
 * pairs, and two that are no characters.
 */
const impossible = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu

/** Between tags. What XML cannot hold is shown as `�`. */
export function xmlText(text: string): string {
  return escape(text.replaceAll(impossible, '\uFFFD'))
}

/** Between the quotes of an attribute, where a bare line break would be read as a space. */
export function xmlAttribute(text: string): string {
  return xmlText(text).replaceAll('\n', '&#10;').replaceAll('\r', '&#13;').replaceAll('\t', '&#9;')
}
