/** Settings of authorization and quotas, part of the broker's table. */
import { boolean, int, list, oneOf, string } from './table.ts'

const most = 2_147_483_647

export const accessSettings = {
  'authorizer.class.name': oneOf(['', 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'], {
    default: '',
    doc: 'Authorizer: Kafka’s StandardAuthorizer, or none (everyone may do everything).',
  }),
  'super.users': string({ default: '', doc: 'Principals that may do everything: Type:name, separated by semicolons.' }),
  'allow.everyone.if.no.acl.found': boolean({
    default: false,
    doc: 'Whether a resource without any access control entry is open to everyone.',
  }),
  'early.start.listeners': list({
    default: [],
    doc: 'Listeners that serve before access control entries are loaded; default: the controller listeners.',
  }),
  'max.connections.per.ip': int({
    default: most,
    min: 0,
    update: 'cluster-wide',
    doc: 'Most connections from one address at a time.',
  }),
  'max.connections.per.ip.overrides': list({
    default: [],
    update: 'cluster-wide',
    doc: 'address:count, comma-separated: other limits than max.connections.per.ip.',
  }),
  'max.connection.creation.rate': int({
    default: most,
    min: 0,
    update: 'cluster-wide',
    doc: 'Most new connections per second.',
  }),
  'quota.window.num': int({ default: 11, min: 1, doc: 'Samples kept to measure the rates of client quotas.' }),
  'quota.window.size.seconds': int({ default: 1, min: 1, doc: 'Time span of each sample of client quotas.' }),
  'controller.quota.window.num': int({ default: 11, min: 1, doc: 'Samples kept to measure controller mutations.' }),
  'controller.quota.window.size.seconds': int({
    default: 1,
    min: 1,
    doc: 'Time span of each sample of controller mutations.',
  }),
} as const
