/** What the readers of the several forms of key stores find, and how they refuse. */

/** A key store that cannot be used; the message says why, without the name of the file. */
export class KeyStoreError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'KeyStoreError'
  }
}

/** All DER. */
export interface StoredKey {
  /** PKCS #8. */
  readonly privateKey: Buffer
  /** Own certificate first. */
  readonly chain: readonly Buffer[]
}

export interface StoreContent {
  readonly keys: readonly StoredKey[]
  readonly trusted: readonly Buffer[]
}
