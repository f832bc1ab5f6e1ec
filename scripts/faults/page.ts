/** docs/faults.md: the words of this file around the tables of the catalogue. */
import { faultKinds } from './catalogue.ts'
import { kindTable, matrixTable } from './matrix.ts'
import { predicateForms } from '../observe/predicate-form.ts'

const introduction = `# Which faults are there, and where?

Every fault is an entry of one catalogue: \`fault add\` applies and proves it, \`fault list\` shows what is at work, \`fault heal\` undoes it exactly.

\`\`\`sh
./faultline up --faults --runtime process                     # nodes take orders for faults inside themselves; also: compose, simulated
./faultline fault add slow-disk 2 --delay 200 --on fsync      # proof: an fsync took 0 ms before, 201 ms now
./faultline fault add full-disk 1 --after 1000000             # a megabyte still fits
./faultline fault add crash-at 3 --on rename --nth 2 --when after
./faultline fault add clock-jump controller --offset -3600000
./faultline fault add restart-loop 2 --up 5000 --down 1000
./faultline fault add rolling-upgrade all --release 4.3.1     # of up --engine apache-kafka:3.9.1, on the same data
./faultline fault add kill leader:orders-0 --when 'isBehindLeader orders-0 2 100'
./faultline fault list                                        # what is at work, and how often it hit
./faultline fault list --kinds --json                         # parameters, defaults, bounds, and where each is there
./faultline fault heal slow-disk-2-1                          # or --all
\`\`\`

Nodes are numbers, \`all\`, or what they are at that moment: \`controller\` (the active one), \`leader:orders-0\`, \`follower:orders-0\` (one in sync, where
there is one), \`coordinator:readers\` (of a group). Faults of links have \`--from\` and \`--to\` instead; they need \`up --proxy\`, or
containers, and [their own page](fault-proxy.md) tells more. \`up --faults --proxy\` has both.

A fault that cannot be seen to work is taken back and the command fails; \`--no-proof\` adds it without looking. "Not proved" says that there was
nothing to look at, and why.
`

const inside = `## How does a fault get into a node?

With \`up --faults\` (and in labs that need it) each broker is started with \`--fault-control DIRECTORY\`. It then puts decorators around its disk, clock and
network, and listens on \`faults.sock\` in that directory: a Unix socket with mode 0600, so only the user who started the cluster can break it. A broker
without that option has neither: no setting and no request turns it on.

- The proof of a disk fault uses a twin with the same parameters, in front of the same disk, on a file that nobody else uses. So \`--nth\` counts
  real calls only, and no file of the node is touched. The end of a process (\`crash-at\`, \`torn-write\`) is seen with a stand-in for the process.
- Faults of the machine (disk, clock, links) outlive the process: a node that is restarted has them again, as \`faults.json\` beside the socket says;
  \`fault list\` and \`fault heal\` know them also while the node is down. What ends the process strikes once and is gone then. \`memory-pressure\` ends with the
  process.
- A file call that is slow blocks the node, as it does on a slow machine; an fsync that runs in the background is over later and blocks nobody.
- \`cpu-limit\` of a process is a budget of processor time, which grows with time and is looked at every 5 ms: who has overdrawn it stands still until it is
  balanced, as in a control group that is limited. What any of its threads used counts, but it is the event loop that stands still. The proof is a second of
  hard work in the node. Of a container it is the engine's own limit (\`docker update\`), for all that runs in it, and the proof are loops beside the node that
  have to wait; what the container had before is what it has again.
- Bounds keep the machine usable: a call is delayed by 2 s at most, a stall lasts a minute at most, and no more than half of the free memory is held.
- Scripts use the socket as well: \`curl --unix-socket .faultline/NAME/node-1/faults.sock http://node/faults\` lists; \`-d '{"kind": "stall", "parameters":
  {"for": 500}}'\` orders one; \`-X DELETE …/faults/ID\` heals.

In containers (\`--runtime compose\`) it is the same: orders reach the socket through a small client that is run in the node's container, and what outlives the
process is in a volume of the node. A fault that ends the process ends the container. The fault proxy is one more container, in the network of the nodes.

\`upgrade\` and \`rolling-upgrade\` make the container of a node anew, of another image on the same volumes, with the same name and ports; its log begins anew.
Of Apache Kafka it is the image of that \`--release\`, which is fetched or built as by \`up\`; of ours the one that \`--image faultline/broker:other\` names, which
must be there. Which node has which image is in \`.faultline/NAME/compose.override.yaml\`, beside the Compose file of the cluster.

## And into Apache Kafka?

With \`up --engine apache-kafka --faults\` a library stands in front of the C library of each JVM. Names, parameters, proofs and heals are those of our broker.
Containers (\`--runtime compose\`) have an image with it, which the toolkit builds from Kafka's jars. For processes it is made on this machine, once, beside the
jars: that needs Linux and a C compiler with the headers of the GNU C library (\`doctor\` and \`fault list --kinds --json\` tell whether they are there), and a
JVM for that C library. Without \`--faults\` no library is loaded: then \`stall\` freezes a node from outside, and the proxy breaks its links.

- The disk is broken for the file calls below its log directories. Indexes are memory maps, which no call passes: they are out of reach. A full disk is
  that of all its log directories, the one of the metadata log, too: it ends the node. Expressions (\`--path\`) are those of POSIX.
- The clock is broken for the calendar of the JVM, not for its timeouts. The proof is the last time that the JVM itself was told.
- In containers, \`dropped-links\` is a packet filter, set from a short-lived container that shares the network of the node and has the right NET_ADMIN there,
  and \`memory-pressure\` a process in the node's container. Both end with the run of the container. Of processes there is neither.
- \`power-failure\` takes all that was not fsynced. The library keeps the other half of what our journal does: of each file the bytes that its last fsync
  covered (of an index, its last msync), and of each directory the names; the nodes are killed at the same instant, and that is put in the place of their
  data (in containers by a short-lived one). \`--loss part\` is not there. What is durable is on the disk twice, and what Kafka has removed stays in that second copy.
- A process has the folder of its orders in \`.faultline/NAME/node-ID/faults\`: \`rules\`, which the toolkit writes and the library reads, are all that there is
  to remember, so a command that was cut off leaves nothing that \`fault list\` does not show and \`fault heal\` does not undo, also of a node that is down.
- The public image (\`apache/kafka\`) has no such library; without \`--faults\` it is what runs, where it is there or can be fetched.

## How does a process lose its power?

What a process wrote is in the page cache, which outlives it. So a node that was started with \`--faults\` keeps a journal of what it has not fsynced: of files
the size, and the pages that were changed, as they were at the last fsync; of directories the names that were made, renamed or removed since. What was
removed is kept until that is durable. \`power-failure\` ends the processes, and then takes all of that from their disks (\`--loss all\`) or a part by chance
(\`--loss part\`: each page on its own, torn at sectors of 512 bytes; names the latest first or, with \`--names independent\`, each on its own).
The proof is a file of which one half was fsynced.

- An fsync of a file covers its bytes and size as they were when it was asked for, not its name; an fsync of a directory the names in it. The simulator's
  disk loses by the same rules; a property test compares the two.
- Nothing counts as written back by itself: it is the worst that can happen, where a kernel writes dirty pages after half a minute.
- A restart after \`kill\` changes nothing: what the earlier process had not fsynced can still be lost. A start as another program
  (\`upgrade\`) forgets it: that one may note nothing, and then what the earlier one noted is not true any more.
- The journal lies beside the socket, and needs the data on the same file system; a node whose data is elsewhere says so at its start, and
  \`power-failure\` refuses it. Log directories keep Kafka's layout, but what is removed frees its space only with the next fsync of its directory.
- Containers (\`--runtime compose\`) are killed at the same instant; then a short-lived container of the same image takes from the volume of each what was
  not fsynced. For that, nodes with \`--faults\` have their data in the volume of their orders, at \`/var/lib/faultline/data\`; with \`--data\` they have not.

## How do faults come by themselves?

\`fault add … --at 5s\` and \`--repeat 10s\` wait in the foreground, \`--lasts 2s\` heals after a while. \`fault run FILE\` carries out a whole schedule, until it is
over or Ctrl-C, and heals what it began:

\`\`\`json
[
  {"kind": "slow-disk", "nodes": [2], "parameters": {"delay": 200}, "when": {"at": "5s"}, "for": "2s"},
  {"kind": "kill", "nodes": ["random"], "when": {"every": "10s"}, "for": "3s", "times": 5},
  {"kind": "pause", "nodes": ["controller"], "when": {"random": ["1s", "20s"], "seed": 7}, "for": "4s"},
  {"kind": "latency", "links": {"from": [1], "to": ["all"]}, "parameters": {"delay": 100}, "when": {"at": "1s"}},
  {"kind": "kill", "nodes": ["leader:orders-0"], "when": {"observed": {"isBeyondHighWatermark": {"partition": "orders-0", "broker": 1}}, "within": "60s"}}
]
\`\`\`

A schedule that has a fault which this cluster can never have is refused before anything begins. One that is refused when its time has come is
reported, and the others go on; the command then ends with 1, and with 130 after Ctrl-C. A fault that is over by itself (\`restart\`, \`stall\`) is not
waited for.

\`--when CONDITION\` and \`"observed"\` begin when something is observed over the wire ([observe.md](observe.md)), whatever the engine; \`--within 60s\` gives up
after that time. Roles are then looked up in the very observation that made the condition true, and the event says what it was:
\`began kill: …, because the log of broker 1 ends above the high watermark of orders-0\`. With \`times\`, the next occasion is when it holds again after it
did not. As words a condition is its name and its values, \`not\` before it turns it round; as JSON an object with one name, and \`every\`, \`some\` and \`not\`
join them:

${predicateForms.map(form => `- \`${form}\``).join('\n')}

In a TypeScript file, which exports such a list by default, \`when\` may be a function of an AbortSignal and the cluster: its promise resolves at the next occasion, whatever it
waits for. Scripts of labs have \`run.breakInside(kind, target, parameters)\` and \`run.healInside()\`.

## What if a command is cut off?

\`fault list\` is read off the nodes and the proxy. What the toolkit does itself (\`restart-loop\`) leaves an order in \`.faultline/NAME/faults/\` before it
begins; the process that carries it out looks for the order before each step, and \`fault heal --all\` takes it away, whoever wrote it.
A node that was frozen for a \`stall\` from outside shows as paused.
`

export function faultsPage(): string {
  return [
    introduction,
    '## What is there where?\n\n✓: there, with a proof (inside processes of Apache Kafka, where a [library](#and-into-apache-kafka) can be made). –: not there, and why.\n',
    `${matrixTable(faultKinds)}\n`,
    '## What does each do?\n\nThe parameters of link faults are explained on [their page](fault-proxy.md).\n',
    `${kindTable(faultKinds.filter(({ targets }) => targets === 'nodes'))}\n`,
    `${kindTable(faultKinds.filter(({ targets }) => targets === 'links'))}\n`,
    inside,
  ].join('\n')
}
