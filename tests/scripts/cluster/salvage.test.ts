/** Whose processes are whose, by what they were started with. */
import { expect, test } from 'vitest'
import { isCommandOf } from '#scripts/cluster/salvage.ts'

const state = '/srv/my clusters/.faultline/lab (1)'

test.each([' ', '\0'] as const)(
  'a node, a proxy and a host are known by their files, with %j between arguments',
  gap => {
    const isOurs = (...args: string[]): boolean => isCommandOf(state, args.join(gap), gap)
    expect(isOurs(process.execPath, '--flag', '/x/broker/main.ts', `${state}/node-12/server.properties`)).toBe(true)
    expect(isOurs('/usr/bin/java', '-cp', '/x', 'kafka.Kafka', `${state}/node-1/server.properties`)).toBe(true)
    expect(isOurs('node', '/x/proxy/main.ts', `${state}/proxy`, '--more')).toBe(true)
    expect(isOurs('node', '/x/host.ts', state)).toBe(true)

    expect(isOurs('vim', `${state}/node-1/server.properties`)).toBe(false)
    expect(isOurs('/usr/bin/nodejs-viewer', `${state}/proxy`)).toBe(false)
    expect(isOurs('node', '/x/main.ts', `${state}-2/node-1/server.properties`)).toBe(false)
    expect(isOurs('node', '/x/main.ts', `${state}/node-1/server.properties.old`)).toBe(false)
    expect(isOurs('node', '/x/main.ts', `/copy${state}/node-1/server.properties`)).toBe(false)
    expect(isOurs('node', `--config=${state}/proxy`)).toBe(false)
  },
)

test('arguments that are told one by one are not taken together', () => {
  const other = ['node', '/x/main.ts', `${state} of another/node-1/server.properties`].join('\0')
  expect(isCommandOf(state, other, '\0')).toBe(false)
})

test('Node.js itself may lie in a folder with a space', () => {
  const path = process.execPath
  try {
    process.execPath = '/opt/my tools/node'
    expect(isCommandOf(state, `/opt/my tools/node /x/host.ts ${state}/proxy`, ' ')).toBe(true)
  } finally {
    process.execPath = path
  }
})
