/**
 * The kinds of faults on links: names, parameters with defaults and bounds, what they need. One table for the command line, for the lists and
 * for the proxy itself; what a kind does is in `byte-faults.ts` and `request-faults.ts`.
 */
import { apiByKey, apiByName, apis, type Api } from '#broker/protocol/apis.ts'
import { errorTable } from '#broker/protocol/errors.ts'
import { usageError } from '../errors.ts'
import { canAnswerWithError } from './error-answer.ts'
import {
  checkExpression,
  checkParameters,
  choice,
  count,
  milliseconds,
  probability,
  seed,
  type Parameter,
  type Parameters,
} from './parameters.ts'

export interface LinkFaultKind {
  readonly name: string
  readonly summary: string
  readonly heals: string
  /** 'bytes' works on every link; 'requests' must read Kafka's protocol, which TLS hides. */
  readonly works: 'bytes' | 'requests'
  readonly parameters: readonly Parameter[]
}

const direction = choice('direction', 'which way: of those who opened the connection, back, or both', [
  'both',
  'request',
  'response',
])

const both = {
  name: 'both',
  summary: 'the other way as well: neither side hears the other',
  type: 'flag',
  default: false,
} as const satisfies Parameter

const text = (name: string, summary: string, check?: (text: string) => string | undefined): Parameter => ({
  name,
  summary,
  type: 'text',
  optional: true,
  ...(check === undefined ? {} : { check }),
})

/** Which requests or responses. */
const matching: readonly Parameter[] = [
  text('api', 'name or key of an API, several with commas; left out: all', checkApis),
  text('versions', 'of the API: 7, 0-12 or 13+', value =>
    /^\d+(\+|-\d+)?$/.test(value) ? undefined : 'a version like 7, 0-12 or 13+',
  ),
  text('client-id', 'regular expression for the client id', checkExpression),
  text('topic', 'only what names this topic'),
  text('topic-id', 'its id, where requests say that instead; the command line looks it up'),
  { ...count('partition', 'only what names this partition of the topic'), min: 0 },
  count('nth', 'only the nth that matches'),
  count('every', 'every nth that matches'),
  probability('probability', 'of each that matches', { optional: true }),
  count('times', 'at most so often'),
  seed,
]

const on = choice('on', 'what is hit: the request on its way there, or the response on its way back', [
  'request',
  'response',
])

const then = choice('then', 'what becomes of the connection: it breaks, or nothing more comes through until healed', [
  'close',
  'stall',
])

export const linkFaultKinds: readonly LinkFaultKind[] = [
  {
    name: 'partition',
    summary:
      'nothing that --from sends reaches --to; connections stay open and what was sent waits, as with lost packets',
    heals: 'what waited goes on; connections that were opened meanwhile are reset',
    works: 'bytes',
    parameters: [both],
  },
  {
    name: 'black-hole',
    summary: 'nothing passes on the link; connections stay open',
    heals: 'what waited goes on; connections that were opened meanwhile are reset',
    works: 'bytes',
    parameters: [direction],
  },
  {
    name: 'cut',
    summary: 'connections are closed and new ones refused, as where nobody listens',
    heals: 'the link takes connections again',
    works: 'bytes',
    parameters: [],
  },
  {
    name: 'reset',
    summary: 'connections are reset (RST), new ones after a while',
    heals: 'connections are left alone again',
    works: 'bytes',
    parameters: [milliseconds('after', 'how old a connection may get', { default: 0 })],
  },
  {
    name: 'latency',
    summary: 'everything comes later',
    heals: 'at once: what waits goes out',
    works: 'bytes',
    parameters: [
      milliseconds('delay', 'one way; the mean of uniform and normal, the least of pareto'),
      milliseconds('jitter', 'half the width (uniform), standard deviation (normal), mean on top (pareto)', {
        default: 0,
      }),
      choice('distribution', 'of the delays', ['uniform', 'normal', 'pareto']),
      direction,
      seed,
    ],
  },
  {
    name: 'bandwidth',
    summary: 'the link is slow; its connections share it',
    heals: 'at once: what waits goes out',
    works: 'bytes',
    parameters: [{ name: 'rate', summary: 'each way', type: 'number', unit: 'bytes/s', min: 1, max: 1e12 }, direction],
  },
  {
    name: 'loss',
    summary: 'segments get lost: the stream stands still until TCP would have sent them again',
    heals: 'at once: what waits goes out',
    works: 'bytes',
    parameters: [
      probability('probability', 'of each segment of 1460 bytes'),
      milliseconds('timeout', 'until a segment is sent again, doubled while that is lost too', {
        default: 200,
        min: 1,
      }),
      direction,
      seed,
    ],
  },
  {
    name: 'slice',
    summary: 'bytes come in small pieces',
    heals: 'at once: what waits goes out',
    works: 'bytes',
    parameters: [
      {
        name: 'size',
        summary: 'of a piece, on average',
        type: 'number',
        unit: 'bytes',
        default: 64,
        min: 1,
        max: 1 << 20,
        whole: true,
      },
      {
        name: 'variation',
        summary: 'a piece is smaller or larger by up to so much',
        type: 'number',
        unit: 'bytes',
        default: 0,
        min: 0,
        max: 1 << 20,
        whole: true,
      },
      milliseconds('delay', 'between two pieces', { default: 1 }),
      direction,
      seed,
    ],
  },
  {
    name: 'slow-close',
    summary: 'the other side hears late that a connection was closed',
    heals: 'at once',
    works: 'bytes',
    parameters: [milliseconds('delay', 'how late'), direction],
  },
  {
    name: 'drop',
    summary: 'a request or response gets lost, and its connection with it',
    heals: 'connections that stall are closed',
    works: 'requests',
    parameters: [...matching, on, then],
  },
  {
    name: 'delay',
    summary: 'a request or response comes later, and what is behind it on its connection',
    heals: 'at once: what waits goes out',
    works: 'requests',
    parameters: [...matching, on, milliseconds('delay', 'how much later')],
  },
  {
    name: 'duplicate',
    summary: 'a request arrives twice; its sender sees one answer',
    heals: 'nothing is left of it',
    works: 'requests',
    parameters: matching,
  },
  {
    name: 'hold',
    summary: 'a request or response waits, and what is behind it on its connection, until it is released',
    heals: 'what is held goes on; "fault release ID" does that and leaves the fault',
    works: 'requests',
    parameters: [...matching, on],
  },
  {
    name: 'error',
    summary: 'a request is answered with an error: without reaching its node, or after the node did it',
    heals: 'nothing is left of it',
    works: 'requests',
    parameters: [
      ...matching,
      on,
      { name: 'code', summary: 'name or number of the error', type: 'text', check: checkError },
      choice('place', 'at each partition, topic … that the request names, or at the top of the response', [
        'parts',
        'top',
      ]),
    ],
  },
]

/** Refuses an unknown name with the ones there are. */
export function linkFaultKind(name: string): LinkFaultKind {
  const kind = linkFaultKinds.find(candidate => candidate.name === name)
  if (kind !== undefined) return kind
  throw usageError(
    `There is no fault ${name} on links: expected one of ${linkFaultKinds.map(each => each.name).join(', ')}.`,
    './faultline fault list --kinds',
  )
}

/** Complete parameters of a kind; refuses what contradicts itself. */
export function completeParameters(kind: LinkFaultKind, given: Parameters): Parameters {
  const parameters = checkParameters(kind.name, kind.parameters, given)
  const chances = ['nth', 'every', 'probability'].filter(name => parameters[name] !== undefined)
  if (kind.works === 'requests' && chances.length > 1)
    throw usageError(`The fault ${kind.name}: --${chances.join(' and --')} cannot be meant together.`)
  if (parameters['topic'] === undefined && parameters['partition'] !== undefined)
    throw usageError(`The fault ${kind.name}: --partition needs --topic.`)
  requireVersions(kind, parameters)
  if (kind.name === 'error') {
    const mute = apisOf(parameters['api'])?.find(api => !canAnswerWithError(api.key))
    if (mute !== undefined) throw usageError(`The response of ${mute.name} has no place for an error.`)
  }
  return parameters
}

/** Refuses versions that no request of these APIs can have: such a fault would wait for ever. */
function requireVersions({ name }: LinkFaultKind, { api, versions }: Parameters): void {
  if (versions === undefined) return
  const [, first = '', last = first] = /^(\d+)(?:-(\d+))?/.exec(String(versions)) ?? []
  const [low, high] = [Number(first), String(versions).endsWith('+') ? Infinity : Number(last)]
  if (high < low)
    throw usageError(
      `The fault ${name}: --versions ${String(versions)} is from the highest to the lowest.`,
      `--versions ${high}-${low}`,
    )
  const chosen = apisOf(api) ?? apis
  // Older brokers take versions below those of Kafka 4.3; none takes one above.
  if (chosen.some(({ maxVersion }) => low <= maxVersion)) return
  const there = chosen.length > 3 ? '' : chosen.map(each => `${each.name} up to ${each.maxVersion}`).join(', ')
  throw usageError(
    `The fault ${name}: no request has --versions ${String(versions)}${there === '' ? '' : `: there are ${there}`}.`,
  )
}

/** The APIs of a parameter `api`; undefined: all. */
export function apisOf(value: Parameters[string] | undefined): readonly Api[] | undefined {
  if (value === undefined) return undefined
  return String(value)
    .split(',')
    .map(name => {
      const api = findApi(name.trim())
      if (api === undefined) throw usageError(`There is no API ${name}.`)
      return api
    })
}

function findApi(name: string): Api | undefined {
  if (/^\d+$/.test(name)) return apiByKey(Number(name))
  return apiByName(name) ?? apis.find(api => api.name.toLowerCase() === name.toLowerCase())
}

/** The code of an error's name or number. */
export function errorCodeOf(text: string): number | undefined {
  const byName = (errorTable as Readonly<Record<string, { readonly code: number }>>)[text.toUpperCase()]
  if (byName !== undefined) return byName.code
  const code = Number(text)
  return /^-?\d+$/.test(text) && Object.values(errorTable).some(entry => entry.code === code) ? code : undefined
}

function checkApis(value: string): string | undefined {
  const stranger = value.split(',').find(name => findApi(name.trim()) === undefined)
  return stranger === undefined
    ? undefined
    : `names or keys of APIs of Kafka 4.3, such as Produce (${stranger} is none)`
}

function checkError(value: string): string | undefined {
  const code = errorCodeOf(value)
  return code === undefined || code === 0 ? 'an error of Kafka 4.3, such as NOT_LEADER_OR_FOLLOWER' : undefined
}
