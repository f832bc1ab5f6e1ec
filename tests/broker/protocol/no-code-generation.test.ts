import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { expect, it } from 'vitest'

it('codecs fall back to the interpreter where the process may not generate code', () => {
  const script = `
    const { codec } = await import('#broker/protocol/codec.ts')
    const { findCoordinatorRequest } = await import('#broker/protocol/messages/10-find-coordinator.ts')
    const side = codec(findCoordinatorRequest, 3)
    console.log(JSON.stringify([side.source, side.decode(side.encodeToBuffer({ key: 'g' }))]))
  `
  const output = execFileSync(
    process.execPath,
    ['--disallow-code-generation-from-strings', '--input-type=module', '--eval', script],
    { cwd: path.resolve(import.meta.dirname, '../../..'), encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  )
  expect(JSON.parse(output)).toEqual(['', { key: 'g', keyType: 0, coordinatorKeys: [] }])
})
