/** group list, describe, delete. */
import type { Admin } from 'kafkajs'
import { withAdmin } from './client.ts'
import { table } from './describe.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

export async function listGroups(options: CommonOptions, session: Session): Promise<void> {
  const { groups } = await withAdmin(options, async admin => await admin.listGroups())
  const documents = groups
    .map(({ groupId, protocolType }) => ({ name: groupId, summary: protocolType }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const text = await table(
    ['group', 'type'],
    documents.map(({ name, summary }) => [name, summary]),
  )
  session.output.result(documents, () => (documents.length === 0 ? 'No groups.' : text))
}

export async function describeGroup(id: string, options: CommonOptions, session: Session): Promise<void> {
  const document = await withAdmin(options, async admin => {
    const [{ groups }, offsets] = await Promise.all([admin.describeGroups([id]), committed(admin, id)])
    const members = (groups[0]?.members ?? []).map(({ memberId, clientId, clientHost }) => ({
      memberId,
      clientId,
      clientHost,
    }))
    return { name: id, state: groups[0]?.state ?? 'Unknown', members, offsets }
  })
  const rows = document.offsets.map(({ topic, partition, offset, lag }) => [
    topic,
    String(partition),
    String(offset),
    String(lag),
  ])
  const text = await table(['topic', 'partition', 'committed', 'lag'], rows)
  const members = document.members.map(member => `  ${member.memberId} (${member.clientHost})`)
  session.output.result(document, () =>
    [
      `${id}: ${document.state}, ${members.length} members`,
      ...members,
      '',
      rows.length === 0 ? 'No committed offsets.' : text,
    ].join('\n'),
  )
}

async function committed(
  admin: Admin,
  groupId: string,
): Promise<{ topic: string; partition: number; offset: number; lag: number }[]> {
  const found: { topic: string; partition: number; offset: number; lag: number }[] = []
  for (const { topic, partitions } of await admin.fetchOffsets({ groupId })) {
    const ends = await admin.fetchTopicOffsets(topic)
    for (const { partition, offset } of partitions) {
      const end = Number(ends.find(candidate => candidate.partition === partition)?.high ?? 0)
      if (Number(offset) >= 0) found.push({ topic, partition, offset: Number(offset), lag: end - Number(offset) })
    }
  }
  return found
}

export async function deleteGroups(ids: readonly string[], options: CommonOptions, session: Session): Promise<void> {
  await withAdmin(options, async admin => await admin.deleteGroups([...ids]))
  session.output.result({ deleted: ids }, () => `Deleted ${ids.join(', ')}.`)
}
