/** What is left in Docker of a cluster, for tests that take one away. */
import { execa } from 'execa'

const docker = async (...args: string[]): Promise<readonly string[]> => {
  const { stdout } = await execa('docker', args)
  return stdout.split('\n').filter(line => line !== '')
}

/** Containers (with those that only helped), volumes and networks. */
export async function leftOf(cluster: string): Promise<readonly string[]> {
  const project = `faultline-${cluster}`
  const mine = ['--filter', `label=com.docker.compose.project=${project}`]
  const found = await Promise.all([
    docker('ps', '-a', '--format', 'container {{.Names}}', '--filter', `name=${project}-`),
    docker('ps', '-a', '--format', 'container {{.Names}}', ...mine),
    docker('volume', 'ls', '--format', 'volume {{.Name}}', ...mine),
    docker('network', 'ls', '--format', 'network {{.Name}}', ...mine),
  ])
  return [...new Set(found.flat())].toSorted((a, b) => a.localeCompare(b))
}
