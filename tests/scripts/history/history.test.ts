import { describe, expect, test } from 'vitest'
import { formatHistory, parseHistory, type RunDescription } from '#scripts/history/file.ts'
import { pollsOf, recordKeyOf, sendsOf, type RecordOperation } from '#scripts/history/operation.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'

const run: RunDescription = {
  lab: '00-durability',
  variant: 'main',
  runtime: 'process',
  engine: 'faultline',
  seed: '1',
  scale: 'quick',
  startedAt: '2026-01-01T00:00:00.000Z',
}

function clock(startMs: number) {
  let nowMs = startMs
  return { nowMs: () => nowMs, advance: (ms: number) => (nowMs += ms) }
}

describe('the recorder', () => {
  test('numbers entries from 0 and measures time from its own start', () => {
    const time = clock(5_000)
    const recorder = new HistoryRecorder(time)
    recorder.phase('workload')
    time.advance(25)
    recorder.phase('heal')
    expect(recorder.history.map(({ index, timeMs }) => [index, timeMs])).toEqual([
      [0, 0],
      [1, 25],
    ])
  })

  test('retires a process after an indefinite completion', () => {
    const recorder = new HistoryRecorder(clock(0))
    const client = recorder.client('producer-0')
    client.invoke('send', [['send', 't-0', 'a:0']])
    client.complete('info', [['send', 't-0', 'a:0']], {
      code: 'REQUEST_TIMED_OUT',
      message: 'no answer',
      definite: false,
    })
    expect(client.retired).toBe(true)
    expect(() => client.invoke('send', [['send', 't-0', 'a:1']])).toThrow(/process 0 \(producer-0\) is retired/)
    expect(recorder.client('producer-0').process).toBe(1)
  })

  test('refuses a second invocation while one is open, and a completion without invocation', () => {
    const client = new HistoryRecorder(clock(0)).client('consumer-0')
    expect(() => client.complete('ok', [])).toThrow(/had not invoked/)
    client.invoke('poll', [['poll']])
    expect(() => client.invoke('poll', [['poll']])).toThrow(/while its poll is open/)
  })

  test('records a fault as invocation and completion, and keeps a failed fault as info', async () => {
    const recorder = new HistoryRecorder(clock(0))
    await recorder.fault('kill', { brokers: [], target: 'leader of t-0' }, async () => ({
      brokers: [2],
      target: 'leader of t-0',
    }))
    const failing = recorder.fault('kill', { brokers: [], target: 'broker 9' }, async () => {
      throw new Error('no such broker')
    })
    await expect(failing).rejects.toThrow('no such broker')
    expect(recorder.history.map(({ type, f }) => [type, f])).toEqual([
      ['invoke', 'kill'],
      ['ok', 'kill'],
      ['invoke', 'kill'],
      ['info', 'kill'],
    ])
  })
})

describe('history files', () => {
  test('read back what was written, line by line', () => {
    const recorder = new HistoryRecorder(clock(0))
    const client = recorder.client('producer-0')
    client.invoke('send', [['send', 't-0', 'a:0']])
    client.complete('ok', [['send', 't-0', [7, 'a:0']]])
    recorder.phase('heal')
    const text = formatHistory(run, recorder.history)
    expect(text.split('\n')).toHaveLength(recorder.history.length + 2)
    expect(parseHistory(text)).toEqual({ run, history: recorder.history })
  })

  test('name the line when the file is cut, has a gap or is something else', () => {
    const recorder = new HistoryRecorder(clock(0))
    recorder.phase('a')
    recorder.phase('b')
    const text = formatHistory(run, recorder.history)
    expect(() => parseHistory(text.slice(0, -3), 'x.jsonl')).toThrow(/x\.jsonl ends in the middle of a line/)
    const lines = text.split('\n')
    expect(() => parseHistory([lines[0], ...lines.slice(2)].join('\n'), 'x.jsonl')).toThrow(
      /x\.jsonl:2: expected the operation with index 0, got 1/,
    )
    expect(() => parseHistory('{"a":1}\n', 'x.jsonl')).toThrow(/x\.jsonl:1: expected a header/)
    expect(() => parseHistory('hello\n', 'x.jsonl')).toThrow(/x\.jsonl:1: expected one JSON object/)
  })

  test('are refused when lines are missing at the end, or were added, unless they are old and do not say how many there are', () => {
    const recorder = new HistoryRecorder(clock(0))
    for (const phase of ['a', 'b', 'c']) recorder.phase(phase)
    const text = formatHistory(run, recorder.history)
    const withLines = (count: number, from = text) => `${from.split('\n').slice(0, count).join('\n')}\n`
    expect(() => parseHistory(withLines(3), 'x.jsonl')).toThrow(
      'x.jsonl: expected 3 operations, as its header says, got 2: the end is missing',
    )
    expect(() => parseHistory(withLines(1), 'x.jsonl')).toThrow('got 0: the end is missing')
    const added = `${text}${JSON.stringify({ ...recorder.history[2], index: 3 })}\n`
    expect(() => parseHistory(added, 'x.jsonl')).toThrow('got 4: something was added at the end')
    const old = text.replace('"entries":3,', '')
    expect(parseHistory(old)).toEqual({ run, history: recorder.history })
    expect(parseHistory(withLines(3, old)).history).toHaveLength(2)
    for (const entries of ['-1', '1.5', 'null', '"3"'])
      expect(() => parseHistory(text.replace('"entries":3', `"entries":${entries}`), 'x.jsonl')).toThrow(
        `x.jsonl:1: expected a header whose entries is a whole number, got ${entries}`,
      )
  })

  const header = formatHistory(run, [])
  const line = (entry: object) => `${header}${JSON.stringify({ index: 0, timeMs: 0, ...entry })}\n`
  const send = { process: 0, client: 'c', type: 'ok', f: 'send' }
  test.each([
    ['an empty file', '', 'x is empty: expected a header on the first line'],
    ['a header that was cut off', header.slice(0, -20), 'x ends in the middle of a line'],
    ['a file of something else without an end of line', '{}', 'x:1: expected a header with format "faultline-history"'],
    [
      'random bytes',
      '\uFFFD\u0000\u001B[2J',
      'x:1: expected one JSON object on the line, got "\uFFFD\\u0000\\u001b[2J"',
    ],
    ['a header without a seed', header.replace('"seed":"1",', ''), 'x:1: expected a header that says seed'],
    ['null', `${header}null\n`, 'x:2: expected one JSON object on the line, got null'],
    ['a list', `${header}[]\n`, 'x:2: expected one JSON object on the line, got []'],
    ['an empty line', `${header}\n`, 'x:2: expected one JSON object on the line, got an empty line'],
    ['an operation of nothing', `${header}{}\n`, 'x:2: expected an operation with an index, got {}'],
    [
      'an operation without a process',
      line({ type: 'ok', f: 'send', value: [] }),
      'x:2: expected an operation with a process',
    ],
    [
      'an outcome that is none',
      line({ ...send, type: 'maybe', value: [] }),
      'x:2: expected an operation whose type is one of',
    ],
    [
      'a send of nothing',
      line({ ...send, value: null }),
      'x:2: expected a send whose value is a list of sends and polls',
    ],
    ['a send of null', line({ ...send, value: [['send', 't-0', null]] }), 'x:2: expected a send whose value is a list'],
  ])('say what is wrong, and in which line: %s', (_, text, message) => {
    expect(() => parseHistory(text, 'x')).toThrow(message)
  })
})

describe('micro-operations', () => {
  const operation = (value: RecordOperation['value']): RecordOperation => ({
    index: 0,
    timeMs: 0,
    process: 0,
    client: 'c',
    type: 'ok',
    f: 'send',
    value,
  })

  test('give sends with the offset when it is known and polls in the order of delivery', () => {
    const value: RecordOperation['value'] = [
      ['send', 't-0', 'a:0'],
      ['send', 't-1', [4, 'b:0']],
      ['poll', { 't-0': [[1, 'x:1']] }],
      ['poll'],
    ]
    expect(sendsOf(operation(value))).toEqual([
      { partition: 't-0', offset: null, value: 'a:0' },
      { partition: 't-1', offset: 4, value: 'b:0' },
    ])
    expect(pollsOf(operation(value))).toEqual([{ partition: 't-0', records: [[1, 'x:1']] }])
  })

  test('name the record key by the last colon', () => {
    expect(recordKeyOf('t-0.k:1:12')).toBe('t-0.k:1')
    expect(recordKeyOf('plain')).toBeUndefined()
  })
})
