/** Requests about log directories, to one broker. */
import { Writer } from './wire-format.ts'
import type { WireClient } from './wire.ts'

/** AlterReplicaLogDirs v2 of one replica of the broker that is asked. Returns the error code. */
export async function alterLogDir(
  client: WireClient,
  move: { readonly topic: string; readonly partition: number; readonly path: string },
): Promise<number> {
  const body = new Writer()
    .compactArray([move], ({ path, topic, partition }, writer) => {
      writer.compactString(path).compactArray([topic], (name, w) => {
        w.compactString(name)
          .compactArray([partition], (index, each) => each.int32(index))
          .noTags()
      })
      writer.noTags()
    })
    .noTags()
  const reader = await client.request(34, 2, body, { flexible: true })
  reader.int32() // throttle time
  const [codes] = reader.compactArray(r => {
    r.compactString()
    const found = r.compactArray(p => {
      p.int32()
      const code = p.int16()
      p.tags()
      return code
    })
    r.tags()
    return found
  })
  return codes?.[0] ?? -1
}
