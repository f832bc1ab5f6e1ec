import { describe, expect, test } from 'vitest'
import { markdown } from '#scripts/report/markdown.ts'
import { xmlAttribute, xmlText } from '#scripts/report/xml.ts'

describe('text in XML', () => {
  test('loses what XML cannot hold: colours of a terminal, half a surrogate pair, NUL', () => {
    expect(xmlText('\u001B[31mred\u001B[0m \uD800 \u0000 \uFFFF')).toBe('\uFFFD[31mred\uFFFD[0m \uFFFD \uFFFD \uFFFD')
  })
  test('keeps everything else, escaped', () => {
    expect(xmlText('a <b> & "c"\n\t✗ 😀')).toBe('a &lt;b&gt; &amp; &quot;c&quot;\n\t✗ 😀')
  })
  test('keeps line breaks in attributes too', () => {
    expect(xmlAttribute('a\r\n\tb')).toBe('a&#13;&#10;&#9;b')
  })
})

describe('text in Markdown', () => {
  test.each([
    ['a|b', 'a\\|b'],
    ['a\\|b', 'a\\\\\\|b'],
    ['two\n  lines', 'two lines'],
    ['<script>', '\\<script>'],
    ['1 < 2 & so', '1 < 2 & so'],
    ['&lt;', '\\&lt;'],
    ['[a](b) *c* `d` ~~e~~', '\\[a\\](b) \\*c\\* \\`d\\` \\~\\~e\\~\\~'],
    ['__topic__ NOT_LEADER', '\\_\\_topic\\_\\_ NOT_LEADER'],
  ])('%j is %j', (text, escaped) => {
    expect(markdown(text)).toBe(escaped)
  })
})
