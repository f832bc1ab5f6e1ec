/**
 * Whether a new certificate of a listener still says who this node is: clients that check names, and brokers that know each other by them, would
 * be cut off by one that does not (KIP-978).
 */
import { X509Certificate } from 'node:crypto'

export interface AllowedChanges {
  readonly subject: boolean
  readonly alternativeNames: boolean
}

/** @returns what is wrong, in words; undefined when the new one may take the place of the former */
export function namesRefusal(former: string, next: string, may: AllowedChanges): string | undefined {
  const [before, after] = [new X509Certificate(former), new X509Certificate(next)]
  if (!may.subject && before.subject !== after.subject)
    return `the new certificate is for ${oneLine(after.subject)}, the former one for ${oneLine(before.subject)} (ssl.allow.dn.changes)`
  const names = alternativeNames(after)
  const missing = alternativeNames(before).filter(name => !names.includes(name))
  if (may.alternativeNames || missing.length === 0) return undefined
  return `the new certificate lacks ${missing.join(', ')} of the former one (ssl.allow.san.changes)`
}

function oneLine(subject: string | undefined): string {
  return (subject ?? 'nobody').split('\n').reverse().join(',')
}

function alternativeNames({ subjectAltName }: X509Certificate): string[] {
  return subjectAltName === undefined ? [] : subjectAltName.split(', ')
}
