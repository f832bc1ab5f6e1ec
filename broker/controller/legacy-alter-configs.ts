/**
 * AlterConfigs v0-2 as an operation: the settings given become all the settings of the resource; what it does not name goes back to its
 * default. Told as the equal change of IncrementalAlterConfigs, so that both are checked alike.
 * Sources: KIP-133, KIP-339 (why it was superseded); old clients know nothing else.
 */
import { alterOperation, incrementalAlterConfigs, type AlterConfigsReply } from './alter-configs.ts'
import { configResourceTypeOf } from './image-to-records.ts'
import type { Operation } from './operation.ts'

export interface LegacyAlterConfigsInput {
  readonly resources: readonly {
    readonly resourceType: number
    readonly resourceName: string
    readonly configs: readonly { readonly name: string; readonly value: string | null }[]
  }[]
  readonly validateOnly: boolean
  /** See AlterConfigsInput. */
  readonly isForwarded?: true | undefined
}

export const legacyAlterConfigs: Operation<LegacyAlterConfigsInput, AlterConfigsReply> = (state, request) =>
  incrementalAlterConfigs(state, {
    validateOnly: request.validateOnly,
    isForwarded: request.isForwarded,
    resources: request.resources.map(({ resourceType, resourceName, configs }) => {
      const type = configResourceTypeOf(resourceType)
      const current = type === undefined ? [] : [...state.image.config(type, resourceName).keys()]
      const named = new Set(configs.map(({ name }) => name))
      return {
        resourceType,
        resourceName,
        configs: [
          ...configs.map(({ name, value }) => ({ name, value, configOperation: alterOperation.set })),
          ...current
            .filter(name => !named.has(name))
            .map(name => ({ name, value: null, configOperation: alterOperation.delete })),
        ],
      }
    }),
  })
