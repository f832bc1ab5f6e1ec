/** One node of Apache Kafka from its jars, to compare answers with. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { kafkaJars } from '#tests/machine.ts'
import { quickJava } from '#tests/quick-java.ts'
import { connect } from 'node:net'
import { eventually, freePort } from './harness.ts'
import { runJava } from './java.ts'

export interface ApacheKafka {
  readonly bootstrap: string
  stop(): Promise<void>
}

/** Whether somebody takes connections there. */
function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** Resolves when it takes connections. @param format  more arguments of kafka-storage format */
export async function startApacheKafka(
  settings: Readonly<Record<string, string>>,
  format: readonly string[] = [],
): Promise<ApacheKafka> {
  const directory = mkdtempSync(path.join(tmpdir(), 'faultline-apache-kafka-'))
  const [port, controllerPort] = [await freePort(), await freePort()]
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': path.join(directory, 'data'),
    ...settings,
  }
  const file = path.join(directory, 'server.properties')
  const text = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`)
  writeFileSync(file, text.join(''))
  const formatted = ['format', '-t', 'AAAAAAAAAAAAAAAAAAAAAg', '-c', file, ...format]
  const { code, output } = await runJava('kafka.tools.StorageTool', formatted)
  if (code !== 0) throw new Error(output)
  const child = spawn('java', ['-Xmx400m', ...quickJava, '-cp', `${kafkaJars}/*`, 'kafka.Kafka', file], {
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    await eventually('Apache Kafka takes connections', async () => {
      if (child.exitCode !== null) throw new Error(`Apache Kafka ended with ${child.exitCode}`)
      return (await answers(port)) || undefined
    })
  } catch (error) {
    await stop()
    throw error
  }
  return { bootstrap: `127.0.0.1:${port}`, stop }
}
