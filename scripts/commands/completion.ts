/** `completion`: what a shell needs to complete this command line, made from the commands themselves. */
import type { Command } from 'commander'
import { engines, runtimeNames } from '../cluster/cluster.ts'
import { securityKinds } from '../cluster/security/kinds.ts'
import { stateHome } from '../cluster/state.ts'
import { usageError } from '../errors.ts'
import { faultKinds } from '../faults/catalogue.ts'

export const shells = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof shells)[number]

/** What an option may be given, apart from --name, which is one of the clusters that there are when the key is pressed. */
const valuesOf: Readonly<Record<string, readonly string[]>> = {
  '--runtime': runtimeNames,
  '--engine': engines,
  '--security': securityKinds,
}

/** Arguments of commands that are one of a list. */
const argumentsOf = (path: readonly string[]): readonly { readonly name: string; readonly summary: string }[] => {
  if (path.join(' ') === 'fault add') return faultKinds.map(({ name, summary }) => ({ name, summary }))
  if (path.join(' ') === 'completion') return shells.map(name => ({ name, summary: `for ${name}` }))
  return []
}

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
    commands: [
      ...command.commands.flatMap(child =>
        [child.name(), ...child.aliases()].map(name => ({ name, summary: child.description() })),
      ),
      ...argumentsOf(path),
    ],
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
  return [
    place,
    ...command.commands.flatMap(child =>
      [child.name(), ...child.aliases()].flatMap(name => placesOf(child, [...path, name])),
    ),
  ]
}

function bashScript(places: readonly Place[]): string {
  const paths = places.filter(({ path }) => path.length > 0).map(({ path }) => `'${path.join(' ')}'`)
  const words = ({ commands, options }: Place): string =>
    [...commands.map(({ name }) => name), ...options.map(({ name }) => name), '--help'].join(' ')
  return `_faultline_clusters() {
  local home="\${FAULTLINE_HOME:-${defaultHome()}}" each
  for each in $(ls "$home" 2>/dev/null); do
    if [ -e "$home/$each/cluster.json" ]; then printf '%s\\n' "$each"; fi
  done
}
_faultline() {
  local path= words= word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${path:+$path }\${COMP_WORDS[i]}"
    case "$word" in ${paths.join('|')}) path=$word ;; esac
  done
  case "$path" in
${places.map(place => `    '${place.path.join(' ')}') words='${words(place)}' ;;`).join('\n')}
  esac
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
    --name) words=$(_faultline_clusters) ;;
${Object.entries(valuesOf)
  .map(([option, values]) => `    ${option}) words='${values.join(' ')}' ;;`)
  .join('\n')}
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
        const values = name === '--name' ? '(__faultline_clusters)' : valuesOf[name]?.join(' ')
        const chosen = values === undefined ? (value ? ' -r' : '') : ` -x -a '${values}'`
        return `complete -c faultline -n '${there}'${letter} -l ${name.slice(2)}${chosen} -d ${quoted(summary)}`
      }),
    ]
  })
  return `function __faultline_clusters
  set -l home "$FAULTLINE_HOME"
  test -n "$home"; or set home ${quoted(defaultHome())}
  for each in (ls $home 2>/dev/null)
    test -e $home/$each/cluster.json; and echo $each
  end
end
${lines.join('\n')}
`
}

/** Without FAULTLINE_HOME, which the shell looks at itself. */
function defaultHome(): string {
  return stateHome({})
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
