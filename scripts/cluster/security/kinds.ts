/** The ways in which `up --security` secures a cluster: what its listeners speak, and how clients and nodes say who they are. */

export const securityKinds = ['none', 'sasl', 'tls', 'mtls', 'sasl-tls'] as const
export type SecurityKind = (typeof securityKinds)[number]

export interface SecurityTraits {
  /** Of every listener: of clients, between brokers, of controllers. */
  readonly protocol: 'PLAINTEXT' | 'SASL_PLAINTEXT' | 'SSL' | 'SASL_SSL'
  /** Users and passwords: PLAIN and SCRAM. */
  readonly sasl: boolean
  readonly tls: boolean
  /** Clients and nodes show certificates, and are who these name. */
  readonly clientCertificates: boolean
  /** Where nobody says who he is, access control has nobody to tell apart, and there is no authorizer. */
  readonly authorizer: boolean
  readonly summary: string
}

const traits: Readonly<Record<SecurityKind, SecurityTraits>> = {
  none: {
    protocol: 'PLAINTEXT',
    sasl: false,
    tls: false,
    clientCertificates: false,
    authorizer: false,
    summary: 'no protection',
  },
  sasl: {
    protocol: 'SASL_PLAINTEXT',
    sasl: true,
    tls: false,
    clientCertificates: false,
    authorizer: true,
    summary: 'passwords (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512), nothing encrypted',
  },
  tls: {
    protocol: 'SSL',
    sasl: false,
    tls: true,
    clientCertificates: false,
    authorizer: false,
    summary: 'encrypted, clients stay anonymous',
  },
  mtls: {
    protocol: 'SSL',
    sasl: false,
    tls: true,
    clientCertificates: true,
    authorizer: true,
    summary: 'encrypted, clients show certificates',
  },
  'sasl-tls': {
    protocol: 'SASL_SSL',
    sasl: true,
    tls: true,
    clientCertificates: false,
    authorizer: true,
    summary: 'encrypted, passwords (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512)',
  },
}

/** @param kind  left out: none */
export function traitsOf(kind: SecurityKind | undefined): SecurityTraits {
  return traits[kind ?? 'none']
}
