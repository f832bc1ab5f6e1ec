/** What a history in Jepsen's notation is made of, whatever the form of its values. */
import { ednMap, type Edn } from './edn.ts'
import type { FaultOperation, Operation, OperationType } from './operation.ts'

/** An entry of a Jepsen history before it has its index. */
export interface JepsenEntry {
  readonly operation: Operation
  readonly type: OperationType
  readonly f: string
  readonly value: Edn
}

/** Jepsen's nemesis has neither `:ok` nor `:fail`: what it does is `:info`, when it begins and when it has ended. */
export function faultEntry(operation: FaultOperation): JepsenEntry {
  const { brokers, target, detail } = operation.value
  const value = ednMap({ brokers: [...brokers], target, detail })
  return { operation, type: 'info', f: operation.f, value }
}
