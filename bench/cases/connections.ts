/** Resident memory of one broker with many connections that are idle: each has asked one question, as clients do, and waits. */
import { connect, type Socket } from 'node:net'
import { realClock } from '#scripts/cluster/clock.ts'
import { failure } from '#scripts/errors.ts'
import type { FigureKind } from '../figures.ts'
import { pidsOf, withCluster } from '../measure/bench-cluster.ts'
import { memoryOf } from '../measure/process.ts'
import type { BenchCase } from './context.ts'
import { eachRound } from './context.ts'

/** ApiVersions v0, without a client id. */
const apiVersions = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255])
/** Fewer than what a listener's queue in the system holds. */
const openedAtATime = 100

export const connections: BenchCase = {
  minutesPerRound: 3,
  async run(context) {
    const count = context.options.quick ? 1_000 : 10_000
    await eachRound(context, `connections, ${count}`, engine =>
      withCluster(engine, 1, context.signal, async cluster => {
        const [pid] = await pidsOf(cluster)
        const port = (await cluster.nodes())[0]?.port
        if (pid === undefined || port === undefined) throw failure('No broker runs.')
        await realClock.sleep(3_000)
        const before = memoryOf(pid).rssMiB
        const sockets: Socket[] = []
        try {
          while (sockets.length < count)
            sockets.push(...(await Promise.all(Array.from({ length: openedAtATime }, () => open(port)))))
          await realClock.sleep(3_000)
          const after = memoryOf(pid).rssMiB
          context.figures.add(kind(count, 'resident memory', 'MiB'), engine, after)
          context.figures.add(kind(count, 'each', 'KiB'), engine, ((after - before) * 1024) / count)
        } finally {
          for (const socket of sockets) socket.destroy()
        }
      }),
    )
  },
}

const kind = (count: number, name: string, unit: string): FigureKind => ({
  case: 'connections',
  name: `${count.toLocaleString('en')} idle connections: ${name}`,
  unit,
  better: 'lower',
})

/** Resolves when the broker has answered; the connection stays. */
function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(apiVersions))
    socket.once('error', reject)
    socket.once('close', () => reject(failure('The broker closed a connection before it answered.')))
    socket.once('data', () => resolve(socket))
  })
}
