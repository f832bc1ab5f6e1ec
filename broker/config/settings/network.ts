/** Listeners, connections and what waits on them. Facts as in Apache Kafka 4.3. */
import { int, list, long, oneOf, string } from '../table.ts'

export const networkSettings = {
  'advertised.listeners': list({
    default: [],
    unset: true,
    nonEmpty: true,
    doc: 'What clients are told to connect to; default: listeners.',
  }),
  'connection.failed.authentication.delay.ms': int({
    default: 100,
    min: 0,
    doc: 'Wait before a connection whose authentication failed is closed.',
  }),
  'connections.max.idle.ms': long({ default: 600_000, doc: 'Idle connections are closed after this time.' }),
  'connections.max.reauth.ms': long({
    default: 0,
    doc: 'Longest life of a SASL session before it must authenticate again; 0 for no limit.',
  }),
  'early.start.listeners': list({
    default: [],
    unset: true,
    doc: 'Listeners that open before the authorizer has loaded; default: the controller listeners.',
  }),
  'inter.broker.listener.name': string({
    default: '',
    unset: true,
    doc: 'Listener that brokers use among themselves; default PLAINTEXT.',
  }),
  'listener.security.protocol.map': list({
    default: [
      'CONTROLLER:PLAINTEXT',
      'PLAINTEXT:PLAINTEXT',
      'SSL:SSL',
      'SASL_PLAINTEXT:SASL_PLAINTEXT',
      'SASL_SSL:SASL_SSL',
    ],
    type: 'string',
    defaultText: 'SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT',
    update: 'per-broker',
    doc: 'Security protocol of each listener name.',
  }),
  listeners: list({
    default: ['PLAINTEXT://:9092'],
    nonEmpty: true,
    update: 'per-broker',
    doc: 'NAME://host:port, comma-separated, of broker and controller listeners.',
  }),
  'max.connection.creation.rate': int({
    default: 2_147_483_647,
    min: 0,
    update: 'cluster-wide',
    doc: 'Most new connections a second.',
  }),
  'max.connections': int({
    default: 2_147_483_647,
    min: 0,
    update: 'cluster-wide',
    doc: 'Most connections at a time.',
  }),
  'max.connections.per.ip': int({
    default: 2_147_483_647,
    min: 0,
    update: 'cluster-wide',
    doc: 'Most connections of one address.',
  }),
  'max.connections.per.ip.overrides': list({
    default: [],
    type: 'string',
    update: 'cluster-wide',
    doc: 'address:count, comma-separated: other limits than max.connections.per.ip.',
  }),
  'queued.max.request.bytes': long({ default: -1, doc: 'Most bytes of requests that wait; -1 for no limit.' }),
  'queued.max.requests': int({ default: 500, min: 1, doc: 'Most requests of one connection that wait for an answer.' }),
  'request.timeout.ms': int({ default: 30_000, doc: 'Timeout of requests from this node to others.' }),
  'security.inter.broker.protocol': oneOf(['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'], {
    default: 'PLAINTEXT',
    doc: 'Security protocol among brokers, when inter.broker.listener.name is not set.',
  }),
  'socket.connection.setup.timeout.max.ms': long({
    default: 30_000,
    doc: 'Longest wait for a connection to another node.',
  }),
  'socket.connection.setup.timeout.ms': long({ default: 10_000, doc: 'First wait for a connection to another node.' }),
  'socket.listen.backlog.size': int({
    default: 50,
    min: 1,
    doc: 'Connections of a listener that wait for others to end when there are max.connections; the system’s own queue has its default length.',
  }),
  'socket.receive.buffer.bytes': int({ default: 102_400, doc: 'No effect here: the system’s default is used.' }),
  'socket.request.max.bytes': int({ default: 104_857_600, min: 1, doc: 'Largest request accepted.' }),
  'socket.send.buffer.bytes': int({ default: 102_400, doc: 'No effect here: the system’s default is used.' }),
} as const
