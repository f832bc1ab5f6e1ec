/** From the IANA names of cipher suites, which Kafka's ssl.cipher.suites takes, to those of OpenSSL, which Node takes. */

/** TLS 1.3 suites have one name everywhere; names that are OpenSSL's already stay. */
export function openSslName(suite: string): string {
  const match = /^(?:TLS|SSL)_(.+)_WITH_(.+)$/.exec(suite)
  if (match === null) return suite
  const [, exchange = '', rest = ''] = match
  const cipher = rest
    .replace(/^AES_(\d+)_CBC_SHA(\d*)$/, 'AES$1-SHA$2')
    .replace(/^AES_(\d+)_GCM_SHA(\d+)$/, 'AES$1-GCM-SHA$2')
    .replace(/^AES_(\d+)_CCM(_8)?$/, (_whole, bits: string, short: string | undefined) =>
      short === undefined ? `AES${bits}-CCM` : `AES${bits}-CCM8`,
    )
    .replace(/^CHACHA20_POLY1305_SHA256$/, 'CHACHA20-POLY1305')
    .replaceAll('_', '-')
  // Plain RSA key exchange has no prefix in OpenSSL.
  return exchange === 'RSA' ? cipher : `${exchange.replaceAll('_', '-')}-${cipher}`
}
