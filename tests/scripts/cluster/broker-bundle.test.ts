/** What a broker costs before it has done anything: the bundle loads no part of Node.js that a plain broker does not use. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { brokerEntry, brokerMain, prepareBrokerBundle } from '#scripts/cluster/process/broker-bundle.ts'

const directory = mkdtempSync(join(tmpdir(), 'faultline-bundle-'))
afterEach(() => rmSync(directory, { recursive: true, force: true }))

describe('the bundled broker', () => {
  it('loads neither TLS nor HTTP before somebody uses them', async () => {
    await prepareBrokerBundle()
    expect(brokerEntry()).toMatch(/broker\.cjs$/)
    const hook = join(directory, 'hook.cjs')
    writeFileSync(hook, `process.on('exit', () => console.log('loaded: ' + process.moduleLoadList.join()))`)
    const output = execFileSync(process.execPath, ['--require', hook, brokerEntry(), '--help'], { encoding: 'utf8' })
    const loaded = (output.split('loaded: ')[1] ?? '').split(',').map(entry => entry.replace(/^NativeModule /, ''))
    expect(loaded).toContain('net')
    expect(loaded.filter(name => /^(tls|_tls|http|_http|https|internal\/deps\/undici)/.test(name))).toEqual([])
  })

  // Type stripping and five hundred files take a busy machine its time.
  it('is the broker of the sources, which run where there is no bundle', { timeout: 120_000 }, async () => {
    await prepareBrokerBundle()
    const [bundled, fromSources] = [brokerEntry(), brokerMain].map(entry =>
      execFileSync(process.execPath, [entry, '--help'], { encoding: 'utf8' }),
    )
    expect(fromSources).toContain('server.properties')
    expect(bundled).toBe(fromSources)
  })
})
