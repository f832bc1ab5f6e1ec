import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import {
  applyCommand,
  nodesOf,
  parseCounts,
  placesOf,
  removeCommand,
  rulesAt,
  type PacketFault,
} from '#scripts/cluster/compose/packet-rules.ts'
import type { FaultRequest } from '#scripts/proxy/model.ts'

const fault = (
  kind: string,
  parameters: PacketFault['parameters'] = {},
  more: Partial<PacketFault> = {},
): PacketFault => ({
  id: `${kind}-1`,
  kind,
  from: [1],
  to: [2],
  parameters,
  ...more,
})
const address = (id: number): string | undefined => (id === 9 ? undefined : `10.0.0.${id}`)
const rules = (each: PacketFault): Record<number, string[]> =>
  Object.fromEntries([1, 2, 3].map(id => [id, rulesAt(id, each, address)]))

describe('the packet filters of a fault of links', () => {
  test('lose all of a partition both ways, and what pushes bytes of one that is one way: acknowledgements have to pass', () => {
    expect(rules(fault('partition', { both: true }))).toEqual({
      1: ['-s 10.0.0.2 -j DROP'],
      2: ['-s 10.0.0.1 -j DROP'],
      3: [],
    })
    expect(rules(fault('partition', { both: false }))).toEqual({
      1: [],
      2: ['-s 10.0.0.1 -p tcp --tcp-flags PSH PSH -j DROP'],
      3: [],
    })
  })

  test('know who opened a connection by the port of its listener', () => {
    const [to, from] = ['-m multiport --dports 19092,9093', '-m multiport --sports 19092,9093']
    expect(rules(fault('black-hole', { direction: 'both' }))).toEqual({
      1: [`-s 10.0.0.2 -p tcp ${from} -j DROP`],
      2: [`-s 10.0.0.1 -p tcp ${to} -j DROP`],
      3: [],
    })
    expect(rules(fault('black-hole', { direction: 'response' }))).toEqual({
      1: [`-s 10.0.0.2 -p tcp --tcp-flags PSH PSH ${from} -j DROP`],
      2: [],
      3: [],
    })
    expect(rules(fault('cut'))[2]).toEqual([`-s 10.0.0.1 -p tcp ${to} -j REJECT --reject-with tcp-reset`])
    expect(rules(fault('loss', { probability: 0.25, direction: 'request' }))).toEqual({
      1: [],
      2: [`-s 10.0.0.1 -p tcp ${to} -m statistic --mode random --probability 0.25 -j DROP`],
      3: [],
    })
  })

  test('say nothing of a node that is down, and are put in place again where it is named', () => {
    const wide = fault('partition', { both: true }, { from: [3, 9], to: [1, 2] })
    expect(rulesAt(1, wide, address)).toEqual(['-s 10.0.0.3 -j DROP'])
    expect(placesOf(wide)).toEqual([1, 3, 2, 9])
    expect(placesOf(wide, 9)).toEqual([1, 9, 2])
    expect(placesOf(wide, 7)).toEqual([])
  })

  test('are a chain that is made, and taken away, as a whole and more than once', () => {
    expect(applyCommand('FL-cut-1', ['-s 10.0.0.1 -j DROP'])).toBe(
      '{ { [ "$(iptables -w -S FL-cut-1 | grep -c \'^-A\')" = 1 ] && iptables -w -C FL-cut-1 -s 10.0.0.1 -j DROP && iptables -w -C INPUT -j FL-cut-1; } 2>/dev/null' +
        " || { jump=$(iptables -w -C INPUT -j FL-cut-1 2>/dev/null || echo '-I INPUT -j FL-cut-1');" +
        " printf '%s\\n' '*filter' ':FL-cut-1 - [0:0]' '-A FL-cut-1 -s 10.0.0.1 -j DROP' \"$jump\" COMMIT | iptables-restore -w --noflush; }; }",
    )
    expect(removeCommand('FL-cut-1')).toMatch(
      /; while iptables -w -C INPUT .*; ! iptables -w -nL FL-cut-1 >\/dev\/null 2>&1$/,
    )
  })

  test.each([
    ['is gone afterwards', '[ "$*" = "-w -nL INPUT" ]', 0],
    ['is there still', 'case "$*" in *-C*) return 1;; esac', 1],
    ['is not to be seen, for want of any right', '{ echo "Permission denied" >&2; return 4; }', 4],
  ])('are not taken for removed but when they are: a chain that %s', (_, iptables, status) => {
    // Beside others, as `heal` has it.
    const script = `iptables() { ${iptables}; }; ( ${removeCommand('FL-cut-1')} ) && ( ${removeCommand('FL-cut-2')} )`
    expect(spawnSync('bash', ['-c', script]).status).toBe(status)
  })

  test('count what they lose', () => {
    const table = (chain: string, ...lines: string[]) =>
      [`Chain ${chain} (1 references)`, '    pkts      bytes target     prot opt in     out     source', ...lines].join(
        '\n',
      )
    const text = [
      table(
        'FL-cut-1',
        '       9      940 REJECT     6    --  *      *       172.18.0.2',
        '      12      940 DROP       6    --  *',
      ),
      table('FL-loss-2', '     100      940            6    --  *      *       172.18.0.2'),
    ].join('\n\n')
    expect([...parseCounts(text)]).toEqual([
      ['FL-cut-1', 21],
      ['FL-loss-2', 0],
    ])
  })
})

describe('a request for them', () => {
  const request = (more: Partial<FaultRequest>): FaultRequest => ({ kind: 'partition', from: [1], to: [2], ...more })

  test('is about nodes, each of them once', () => {
    expect(nodesOf(request({ from: ['all', 1], to: [3, 3] }), [1, 2, 3])).toEqual({ from: [1, 2, 3], to: [3] })
  })

  test.each([
    [{ from: ['client'] }, 'Clients need a fault proxy'],
    [{ to: [4] }, 'There is no node 4: there are 1, 2, 3'],
    [{ to: [1] }, 'a node has no link to itself'],
    [{ listener: 'broker' }, '--listener needs a fault proxy'],
    [{ kind: 'latency' }, 'without one there are partition, black-hole, cut, loss'],
  ] as const)('is refused where packets do not tell: %j', (more, text) => {
    expect(() => nodesOf(request(more), [1, 2, 3])).toThrow(text)
  })
})
