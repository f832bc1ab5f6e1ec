/** Of a client on an SSL listener: its principal is what the mapping rules make of the name in its certificate, if it has shown one (KIP-371). */
import type { ConnectionAuthentication, RequestServer } from '../../net/connection-authentication.ts'
import type { Reply } from '../../net/connection.ts'
import { anonymous, Principal, userType } from '../../net/principal.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import { DerError } from './der.ts'
import { subjectOf } from './distinguished-name.ts'
import type { PrincipalMapper } from './mapping-rules.ts'

export class CertificateAuthentication implements ConnectionAuthentication {
  readonly principal: Principal
  readonly #refusal: string | undefined

  constructor(certificate: Buffer | undefined, mapper: PrincipalMapper) {
    const named = certificate === undefined ? {} : nameIn(certificate, mapper)
    this.principal = named.name === undefined ? anonymous : new Principal(userType, named.name)
    this.#refusal = named.refusal
  }

  serve(frame: Buffer, requests: RequestServer): Reply | Promise<Reply> {
    if (this.#refusal !== undefined) throw new ProtocolError(this.#refusal)
    return requests.serve(frame)
  }
}

/** Whoever shows a certificate and gets no name from it must not pass for somebody who has shown none. */
function nameIn(certificate: Buffer, mapper: PrincipalMapper): { readonly name?: string; readonly refusal?: string } {
  try {
    const subject = subjectOf(certificate)
    const name = mapper.nameOf(subject)
    return name === undefined ? { refusal: `no rule of ssl.principal.mapping.rules applies to ${subject}` } : { name }
  } catch (error) {
    // What OpenSSL lets pass as a certificate is more than we can read.
    if (!(error instanceof DerError)) throw error
    return { refusal: `its certificate cannot be read: ${error.message}` }
  }
}
