/**
 * The command line of the broker: `node broker/main.ts [server.properties] [--override key=value]… [--environment]
 * [--fault-control DIRECTORY]`.
 * Reads the configuration, builds the real Environment, starts the node, turns SIGTERM and SIGINT into a controlled shutdown.
 * Exit codes: 0 stopped as asked; 1 could not start or go on; 2 the command line or configuration is wrong.
 */
import { readFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { parseArgs } from 'node:util'
import { parseBrokerConfig, propertiesFromEnvironment, type ParsedConfig } from './config/parse.ts'
import { parseProperties } from './config/properties.ts'
import { ConfigError } from './config/table.ts'
import type { Environment } from './environment/environment.ts'
import { nodeEnvironment } from './environment/node/node-environment.ts'
import { LogDirectoryError } from './log/meta-properties.ts'
import { Node } from './node.ts'
import { StartupError } from './startup-error.ts'

const usage = `usage: main.ts [server.properties] [--override key=value]… [--environment] [--end-with-stdin]
  --override, -o   one setting, over what the file says
  --environment    settings from KAFKA_… variables too, as the apache/kafka image takes them (and CLUSTER_ID)
  --end-with-stdin the process ends at once, as if killed, when its standard input does: with whoever holds the other end of the pipe
  --fault-control  a directory of this node's own, where a socket takes orders to break it on purpose`

function refuse(message: string): never {
  console.error(message)
  process.exit(2)
}

function readFile(file: string): Map<string, string> {
  try {
    return parseProperties(readFileSync(file, 'utf8'))
  } catch (error) {
    return refuse(`cannot read the configuration ${file}: ${(error as Error).message}`)
  }
}

function configure(): ParsedConfig & { readonly faultDirectory: string | undefined } {
  const options = {
    override: { type: 'string', short: 'o', multiple: true, default: [] as string[] },
    environment: { type: 'boolean', default: false },
    'end-with-stdin': { type: 'boolean', default: false },
    'fault-control': { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  } as const
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  if (values.help) {
    console.log(usage)
    process.exit(0)
  }
  if (values['end-with-stdin']) process.stdin.once('close', () => process.kill(process.pid, 'SIGKILL')).resume()
  if (positionals.length > 1 || (positionals.length === 0 && !values.environment)) refuse(usage)
  const properties = positionals[0] === undefined ? new Map<string, string>() : readFile(positionals[0])
  if (values.environment) {
    for (const [key, value] of propertiesFromEnvironment(process.env)) properties.set(key, value)
    const clusterId = process.env['CLUSTER_ID']
    if (clusterId !== undefined) properties.set('cluster.id', clusterId)
  }
  for (const override of values.override) {
    const [key, ...value] = override.split('=')
    if (key === undefined || key === '' || value.length === 0)
      refuse(`--override: expected key=value, got "${override}"`)
    properties.set(key, value.join('='))
  }
  return { ...parseBrokerConfig(properties), faultDirectory: values['fault-control'] }
}

function parsed(): ReturnType<typeof configure> {
  try {
    return configure()
  } catch (error) {
    if (error instanceof ConfigError) return refuse(`configuration: ${error.message}`)
    if (error instanceof TypeError) return refuse(`${error.message}\n${usage}`)
    throw error
  }
}

const { config, ignored, unknown, faultDirectory } = parsed()
const machine = nodeEnvironment({ logLevel: config['log.level'], logFormat: config['log.format'] })
const { log } = machine
if (ignored.length > 0) log.info('settings without effect here', { settings: ignored.join(', ') })
for (const message of unknown) log.warn('ignored a setting', { reason: message })

/** The machine as it is, unless this node was started to be broken on purpose. */
async function surroundings(): Promise<Environment> {
  if (faultDirectory === undefined) return machine
  const { faultControl } = await import('./environment/node/fault-control.ts')
  const control = faultControl(machine, config['node.id'], faultDirectory, [
    ...new Set([config['metadata.log.dir'], ...config['log.dirs']]),
  ])
  // Before the node starts: what makes its start slow or impossible must be healable.
  await control.listen()
  log.warn('this node can be broken on purpose', { control: faultDirectory })
  return control.environment
}

function assembled(environment: Environment): Node {
  try {
    return new Node({ config, environment })
  } catch (error) {
    if (error instanceof StartupError) return refuse(error.message)
    throw error
  }
}

// Before anything else can throw. A promise that nobody handles ends here as well.
process.on('uncaughtException', error => {
  log.error(
    'The node ends by an error that nothing handles: a bug. Start it again, its logs are recovered then; report the error with the lines before it.',
    { error },
  )
  process.exit(1)
})

let node: Node | undefined
let stopping = false
function stop(signal: string): void {
  if (stopping) {
    log.warn('asked twice, stopping at once', { signal })
    process.exit(1)
  }
  stopping = true
  log.info('stopping', { signal })
  if (node === undefined) process.exit(0)
  node.stop().then(
    () => process.exit(0),
    (error: unknown) => {
      log.error('the stop failed', { error })
      process.exit(1)
    },
  )
}
process.on('SIGTERM', () => stop('SIGTERM'))
process.on('SIGINT', () => stop('SIGINT'))

async function start(): Promise<void> {
  try {
    node = assembled(await surroundings())
    await node.start()
    // Now rather than at the exit, which a kill -9 leaves out: the next start is faster and needs 6 MB less. Does nothing without
    // NODE_COMPILE_CACHE, or when the code is there already.
    flushCompileCache()
  } catch (error) {
    // Stopped before it was up: the stop decides how the process ends.
    if (stopping) return
    if (error instanceof StartupError || error instanceof LogDirectoryError) log.error(error.message)
    else log.error('the node could not start', { error })
    process.exit(1)
  }
}

void start()
