/** What a nemesis can do. */
export const faultKinds = [
  'kill',
  'restart',
  'pause',
  'isolate',
  'split',
  'one-way',
  'slow-link',
  'power-failure',
  'clock-jump',
  'kill-all',
] as const
export type FaultKind = (typeof faultKinds)[number]
