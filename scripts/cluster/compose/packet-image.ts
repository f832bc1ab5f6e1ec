/** The image of the containers that set packet filters beside nodes: with iptables, which the images of nodes need not have. */
import { failure, messageOf } from '../../errors.ts'
import { installation } from '../../installation/here.ts'
import { buildImage, layoutOf } from './docker.ts'
import { baseArgument } from './kafka-image.ts'

const layout = 1

export const packetImage = 'faultline/packet-filter:dev'

/** Builds it when it is not there. */
export async function ensurePacketImage(): Promise<void> {
  if (((await layoutOf(packetImage)) ?? 0) >= layout) return
  try {
    await buildImage({
      name: packetImage,
      context: installation.packetFilterImage,
      dockerfile: 'Dockerfile',
      arguments: baseArgument(),
      signal: undefined,
    })
  } catch (error) {
    throw failure(
      `The image ${packetImage}, which breaks links, cannot be built: ${messageOf(error)}`,
      './faultline up --proxy breaks links without. The image needs a package of Debian; with another base: FAULTLINE_KAFKA_BASE=IMAGE.',
      error,
    )
  }
}
