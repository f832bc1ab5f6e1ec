/** Where kinds of faults are there. */

export function everywhere(): undefined {
  return undefined
}
