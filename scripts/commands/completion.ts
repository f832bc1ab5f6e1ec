/** `completion`: what a shell needs to complete this command line, made from the commands themselves. */
import type { Command } from 'commander'
import { usageError } from '../errors.ts'

export const shells = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof shells)[number]

interface Place {
  /** Words that lead there: empty, `fault`, `fault add`. */
  readonly path: readonly string[]
  readonly commands: readonly { readonly name: string; readonly summary: string }[]
  readonly options: readonly {
    readonly name: string
    readonly short?: string
    readonly summary: string
    readonly value: boolean
  }[]
}

export function completionScript(root: Command, shell: string): string {
  const known = shells.find(candidate => candidate === shell)
  if (known === undefined)
    throw usageError(
      `completion ${shell}: expected one of ${shells.join(', ')}.`,
      'For example: source <(faultline completion bash)',
    )
  return scripts[known](placesOf(root))
}

const scripts: Readonly<Record<Shell, (places: readonly Place[]) => string>> = {
  bash: bashScript,
  zsh: places => `#compdef faultline\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(places)}`,
  fish: fishScript,
}

function placesOf(command: Command, path: readonly string[] = []): Place[] {
  const place = {
    path,
    commands: command.commands.map(child => ({ name: child.name(), summary: child.description() })),
    options: command.options.flatMap(({ long, short, description, required, optional }) =>
      long === undefined || long === null
        ? []
        : [
            {
              name: long,
              ...(short === undefined ? {} : { short }),
              summary: description,
              value: required || optional,
            },
          ],
    ),
  }
  return [place, ...command.commands.flatMap(child => placesOf(child, [...path, child.name()]))]
}

function bashScript(places: readonly Place[]): string {
  const paths = places.filter(({ path }) => path.length > 0).map(({ path }) => `'${path.join(' ')}'`)
  const words = ({ commands, options }: Place): string =>
    [...commands.map(({ name }) => name), ...options.map(({ name }) => name), '--help'].join(' ')
  return `_faultline() {
  local path= words= word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${path:+$path }\${COMP_WORDS[i]}"
    case "$word" in ${paths.join('|')}) path=$word ;; esac
  done
  case "$path" in
${places.map(place => `    '${place.path.join(' ')}') words='${words(place)}' ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  # Where no word fits, files do: topologies, directories for data.
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _faultline faultline ./faultline
`
}

function fishScript(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, commands, options }) => {
    const there =
      path.length === 0
        ? '__fish_use_subcommand'
        : path.map(word => `__fish_seen_subcommand_from ${word}`).join('; and ')
    return [
      ...commands.map(({ name, summary }) => `complete -c faultline -f -n '${there}' -a ${name} -d ${quoted(summary)}`),
      ...options.map(({ name, short, summary, value }) => {
        const letter = short === undefined ? '' : ` -s ${short.slice(1)}`
        return `complete -c faultline -n '${there}'${letter} -l ${name.slice(2)}${value ? ' -r' : ''} -d ${quoted(summary)}`
      }),
    ]
  })
  return `${lines.join('\n')}\n`
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
