/** The runtimes by name. Each is loaded when it is asked for: a command on processes should not wait for Docker's library. */
import { failure, usageError } from '../errors.ts'
import type { Cluster, Engine, Runtime, RuntimeName } from './cluster.ts'
import { findCluster } from './lifecycle.ts'

export async function runtimeByName(name: RuntimeName): Promise<Runtime> {
  switch (name) {
    case 'process':
      return (await import('./process/runtime.ts')).processRuntime
    case 'compose':
      return (await import('./compose/runtime.ts')).composeRuntime
    case 'simulated':
      return (await import('./simulated/runtime.ts')).simulatedRuntime
    case 'external':
      throw usageError(
        'A cluster of somebody else has no name here.',
        'lab run --bootstrap HOST:PORT runs labs against it.',
      )
  }
}

/** A cluster that is up, by the name it was started with. */
export async function attachCluster(name: string): Promise<Cluster> {
  const record = findCluster(name)
  if (record.phase === 'starting') {
    throw failure(
      `The cluster ${name} is being started, or its start was cut off.`,
      `Wait for it, or clean up with ./faultline down --name ${name}`,
    )
  }
  const runtime = await runtimeByName(record.spec.runtime)
  return await runtime.attach(name)
}

export interface RuntimeChoice {
  readonly name: RuntimeName
  readonly why: string
}

/** What `up` takes when nobody said: containers if a Docker engine answers, else processes. */
export async function chooseRuntime(engine: Engine): Promise<RuntimeChoice> {
  if (engine === 'apache-kafka') return { name: 'process', why: 'Apache Kafka runs as processes' }
  if (engine === 'redpanda') return { name: 'compose', why: 'Redpanda runs in containers' }
  const { composeRuntime } = await import('./compose/runtime.ts')
  const docker = await composeRuntime.available(engine)
  if (docker.available) return { name: 'compose', why: 'a Docker engine answers' }
  return { name: 'process', why: docker.missing }
}
