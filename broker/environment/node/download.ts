/** What one http(s) URL answers: keys of an identity provider, and little else. Follows no redirects. */
import { NetworkError, type Network } from '../environment.ts'

export const download: NonNullable<Network['download']> = (url, { timeoutMs, maxBytes }) =>
  new Promise((resolve, reject) => {
    const fail = (reason: string, cause?: unknown): void =>
      reject(new NetworkError('DOWNLOAD', `${url}: ${reason}`, cause))
    // Loaded here: together they cost more memory than the rest of a small node.
    const { get } = process.getBuiltinModule(url.startsWith('https:') ? 'node:https' : 'node:http')
    const request = get(url, { agent: false, signal: AbortSignal.timeout(timeoutMs) }, response => {
      if (response.statusCode !== 200) {
        request.destroy()
        return fail(`answered with status ${response.statusCode}`)
      }
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        chunks.push(chunk)
        if (bytes <= maxBytes) return
        request.destroy()
        fail(`answered with more than ${maxBytes} bytes`)
      })
      response.on('end', () => resolve(Buffer.concat(chunks)))
      response.on('error', error => fail(error.message, error))
    })
    request.on('error', error => fail(error.message, error))
  })
