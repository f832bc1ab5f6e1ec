/** TLS, SASL, delegation tokens, authorization. Facts as in Apache Kafka 4.3. */
import { boolean, className, double, int, list, long, oneOf, password, short, string } from '../table.ts'

export const securitySettings = {
  'authorizer.class.name': oneOf(['', 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'], {
    default: '',
    doc: 'Authorizer: Kafka’s StandardAuthorizer, or none (everyone may do everything).',
  }),
  'delegation.token.expiry.check.interval.ms': long({
    default: 3_600_000,
    min: 1,
    doc: 'How often expired delegation tokens are removed.',
  }),
  'delegation.token.expiry.time.ms': long({
    default: 86_400_000,
    min: 1,
    doc: 'How long a delegation token is good before it must be renewed.',
  }),
  'delegation.token.max.lifetime.ms': long({
    default: 604_800_000,
    min: 1,
    doc: 'Longest life of a delegation token, renewals included.',
  }),
  'delegation.token.secret.key': password({
    doc: 'Secret with which delegation tokens are signed; the same on every node.',
  }),
  'principal.builder.class': className({
    default: 'org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder',
    update: 'per-broker',
    doc: 'No effect here: a builder is a Java class; principals are named as by Kafka’s default one.',
  }),
  'sasl.client.callback.handler.class': className({ doc: 'No effect here: a handler is a Java class.' }),
  'sasl.enabled.mechanisms': list({
    default: ['GSSAPI'],
    update: 'per-broker',
    doc: 'SASL mechanisms that clients may use.',
  }),
  'sasl.jaas.config': password({ update: 'per-broker', doc: 'Credentials of SASL, in the form of a JAAS entry.' }),
  'sasl.kerberos.kinit.cmd': string({
    default: '/usr/bin/kinit',
    update: 'per-broker',
    doc: 'No effect here: Kerberos is not offered.',
  }),
  'sasl.kerberos.min.time.before.relogin': long({
    default: 60_000,
    update: 'per-broker',
    doc: 'No effect here: Kerberos is not offered.',
  }),
  'sasl.kerberos.principal.to.local.rules': list({
    default: ['DEFAULT'],
    update: 'per-broker',
    doc: 'No effect here: Kerberos is not offered.',
  }),
  'sasl.kerberos.service.name': string({
    default: '',
    unset: true,
    update: 'per-broker',
    doc: 'No effect here: Kerberos is not offered.',
  }),
  'sasl.kerberos.ticket.renew.jitter': double({
    default: 0.05,
    update: 'per-broker',
    doc: 'No effect here: Kerberos is not offered.',
  }),
  'sasl.kerberos.ticket.renew.window.factor': double({
    default: 0.8,
    update: 'per-broker',
    doc: 'No effect here: Kerberos is not offered.',
  }),
  'sasl.login.callback.handler.class': className({ doc: 'No effect here: a handler is a Java class.' }),
  'sasl.login.class': className({ doc: 'No effect here: a login is a Java class.' }),
  'sasl.login.connect.timeout.ms': int({
    default: 0,
    unset: true,
    doc: 'Timeout of connections to the OAuth provider.',
  }),
  'sasl.login.read.timeout.ms': int({ default: 0, unset: true, doc: 'Timeout of reads from the OAuth provider.' }),
  'sasl.login.refresh.buffer.seconds': short({
    default: 300,
    update: 'per-broker',
    doc: 'Time before its expiry within which a token is not refreshed any more.',
  }),
  'sasl.login.refresh.min.period.seconds': short({
    default: 60,
    update: 'per-broker',
    doc: 'Least time between two refreshes of a token.',
  }),
  'sasl.login.refresh.window.factor': double({
    default: 0.8,
    update: 'per-broker',
    doc: 'Share of its life after which a token is refreshed.',
  }),
  'sasl.login.refresh.window.jitter': double({
    default: 0.05,
    update: 'per-broker',
    doc: 'Random part of the time of a token’s refresh.',
  }),
  'sasl.login.retry.backoff.max.ms': long({
    default: 10_000,
    doc: 'Longest wait between attempts to log in at the OAuth provider.',
  }),
  'sasl.login.retry.backoff.ms': long({
    default: 100,
    doc: 'First wait between attempts to log in at the OAuth provider.',
  }),
  'sasl.mechanism.controller.protocol': string({ default: 'GSSAPI', doc: 'SASL mechanism towards controllers.' }),
  'sasl.mechanism.inter.broker.protocol': string({
    default: 'GSSAPI',
    update: 'per-broker',
    doc: 'SASL mechanism among brokers.',
  }),
  'sasl.oauthbearer.assertion.algorithm': oneOf(['ES256', 'RS256'], {
    anyCase: true,
    default: 'RS256',
    doc: 'Algorithm that signs assertions to the OAuth provider.',
  }),
  'sasl.oauthbearer.assertion.claim.aud': string({
    default: '',
    unset: true,
    doc: 'Audience of assertions to the OAuth provider.',
  }),
  'sasl.oauthbearer.assertion.claim.exp.seconds': int({
    default: 300,
    min: 0,
    max: 86_400,
    doc: 'Life of assertions to the OAuth provider.',
  }),
  'sasl.oauthbearer.assertion.claim.iss': string({
    default: '',
    unset: true,
    doc: 'Issuer of assertions to the OAuth provider.',
  }),
  'sasl.oauthbearer.assertion.claim.jti.include': boolean({
    default: false,
    doc: 'Whether assertions to the OAuth provider have an id.',
  }),
  'sasl.oauthbearer.assertion.claim.nbf.seconds': int({
    default: 60,
    min: 0,
    max: 3600,
    doc: 'How far back assertions to the OAuth provider begin to be good.',
  }),
  'sasl.oauthbearer.assertion.claim.sub': string({
    default: '',
    unset: true,
    doc: 'Subject of assertions to the OAuth provider.',
  }),
  'sasl.oauthbearer.assertion.file': string({
    default: '',
    unset: true,
    doc: 'File with a ready assertion for the OAuth provider.',
  }),
  'sasl.oauthbearer.assertion.private.key.file': string({
    default: '',
    unset: true,
    doc: 'File with the key that signs assertions to the OAuth provider.',
  }),
  'sasl.oauthbearer.assertion.private.key.passphrase': password({
    doc: 'Passphrase of the key that signs assertions to the OAuth provider.',
  }),
  'sasl.oauthbearer.assertion.template.file': string({
    default: '',
    unset: true,
    doc: 'File with the claims of assertions to the OAuth provider.',
  }),
  'sasl.oauthbearer.client.credentials.client.id': string({
    default: '',
    unset: true,
    doc: 'Client id at the OAuth provider.',
  }),
  'sasl.oauthbearer.client.credentials.client.secret': password({ doc: 'Client secret at the OAuth provider.' }),
  'sasl.oauthbearer.clock.skew.seconds': int({
    default: 30,
    doc: 'How far the clock of the OAuth provider may be off.',
  }),
  'sasl.oauthbearer.expected.audience': list({
    default: [],
    doc: 'Audiences of which a token must name one; empty: not checked.',
  }),
  'sasl.oauthbearer.expected.issuer': string({
    default: '',
    unset: true,
    doc: 'Issuer a token must name; unset: not checked.',
  }),
  'sasl.oauthbearer.jwks.endpoint.refresh.ms': long({
    default: 3_600_000,
    doc: 'How often the keys of the OAuth provider are read again.',
  }),
  'sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms': long({
    default: 10_000,
    doc: 'Longest wait between attempts to read the keys of the OAuth provider.',
  }),
  'sasl.oauthbearer.jwks.endpoint.retry.backoff.ms': long({
    default: 100,
    doc: 'First wait between attempts to read the keys of the OAuth provider.',
  }),
  'sasl.oauthbearer.jwks.endpoint.url': string({
    default: '',
    unset: true,
    doc: 'Where the keys of the OAuth provider are.',
  }),
  'sasl.oauthbearer.jwt.retriever.class': className({
    default: 'org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever',
    doc: 'No effect here: a retriever is a Java class.',
  }),
  'sasl.oauthbearer.jwt.validator.class': className({
    default: 'org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator',
    doc: 'No effect here: a validator is a Java class; tokens are checked as by Kafka’s default one.',
  }),
  'sasl.oauthbearer.scope': string({ default: '', unset: true, doc: 'Scope that is asked of the OAuth provider.' }),
  'sasl.oauthbearer.scope.claim.name': string({ default: 'scope', doc: 'Claim of a token that names its scopes.' }),
  'sasl.oauthbearer.sub.claim.name': string({ default: 'sub', doc: 'Claim of a token that names its principal.' }),
  'sasl.oauthbearer.token.endpoint.url': string({
    default: '',
    unset: true,
    doc: 'Where the OAuth provider gives tokens.',
  }),
  'sasl.server.callback.handler.class': className({
    doc: 'OAUTHBEARER: OAuthBearerValidatorCallbackHandler, or OAuthBearerUnsecuredValidatorCallbackHandler for tokens that nobody signed; no other.',
  }),
  'sasl.server.max.receive.size': int({
    default: 524_288,
    doc: 'Most bytes of a SASL message before the client is authenticated.',
  }),
  'security.providers': string({ default: '', unset: true, doc: 'No effect here: providers are Java classes.' }),
  'ssl.allow.dn.changes': boolean({ default: false, doc: 'Whether a new key store may name another subject.' }),
  'ssl.allow.san.changes': boolean({ default: false, doc: 'Whether a new key store may name other addresses.' }),
  'ssl.cipher.suites': list({
    default: [],
    update: 'per-broker',
    doc: 'Cipher suites on offer; empty for the default ones.',
  }),
  'ssl.client.auth': oneOf(['required', 'requested', 'none'], {
    default: 'none',
    update: 'per-broker',
    doc: 'Whether clients need a certificate: required, requested or none.',
  }),
  'ssl.enabled.protocols': list({
    default: ['TLSv1.2', 'TLSv1.3'],
    update: 'per-broker',
    doc: 'Versions of TLS on offer.',
  }),
  'ssl.endpoint.identification.algorithm': string({
    default: 'https',
    update: 'per-broker',
    doc: 'How the name of another node is checked against its certificate; empty: not at all.',
  }),
  'ssl.engine.factory.class': className({ update: 'per-broker', doc: 'No effect here: a factory is a Java class.' }),
  'ssl.key.password': password({ update: 'per-broker', doc: 'Password of the private key.' }),
  'ssl.keymanager.algorithm': string({
    default: 'SunX509',
    update: 'per-broker',
    doc: 'No effect here: it names a part of the JVM.',
  }),
  'ssl.keystore.certificate.chain': password({ update: 'per-broker', doc: 'Certificate chain of this node, as PEM.' }),
  'ssl.keystore.key': password({ update: 'per-broker', doc: 'Private key of this node, as PEM (PKCS#8).' }),
  'ssl.keystore.location': string({
    default: '',
    unset: true,
    update: 'per-broker',
    doc: 'File with private key and certificate chain of this node.',
  }),
  'ssl.keystore.password': password({ update: 'per-broker', doc: 'Password of the key store file.' }),
  'ssl.keystore.type': string({
    default: 'JKS',
    update: 'per-broker',
    doc: 'Format of the key store: PEM, PKCS12 or JKS.',
  }),
  'ssl.principal.mapping.rules': string({
    default: 'DEFAULT',
    doc: 'How the name of a client’s certificate becomes its principal.',
  }),
  'ssl.protocol': string({
    default: 'TLSv1.3',
    update: 'per-broker',
    doc: 'No effect here: ssl.enabled.protocols tells the versions on offer.',
  }),
  'ssl.provider': string({
    default: '',
    unset: true,
    update: 'per-broker',
    doc: 'No effect here: it names a part of the JVM.',
  }),
  'ssl.secure.random.implementation': string({
    default: '',
    unset: true,
    update: 'per-broker',
    doc: 'No effect here: it names a part of the JVM.',
  }),
  'ssl.trustmanager.algorithm': string({
    default: 'PKIX',
    update: 'per-broker',
    doc: 'No effect here: it names a part of the JVM.',
  }),
  'ssl.truststore.certificates': password({ update: 'per-broker', doc: 'Certificates that are trusted, as PEM.' }),
  'ssl.truststore.location': string({
    default: '',
    unset: true,
    update: 'per-broker',
    doc: 'File with the certificates that are trusted.',
  }),
  'ssl.truststore.password': password({ update: 'per-broker', doc: 'Password of the trust store file.' }),
  'ssl.truststore.type': string({
    default: 'JKS',
    update: 'per-broker',
    doc: 'Format of the trust store: PEM, PKCS12 or JKS.',
  }),
} as const
