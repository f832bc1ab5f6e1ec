/** What a nemesis can do to machines and links. */
export const machineFaultKinds = [
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
/** What it can do to disks: no room for a while, slow, one log directory that fails for good, a crash in the middle of a write. */
export const diskFaultKinds = ['full-disk', 'slow-disk', 'disk-error', 'torn-write'] as const
export const faultKinds = [...machineFaultKinds, ...diskFaultKinds] as const
export type FaultKind = (typeof faultKinds)[number]
