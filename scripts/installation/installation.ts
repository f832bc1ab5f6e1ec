/**
 * Where the parts of the toolkit lie. They are found through `here.ts`: in a checkout that is `checkout.ts`; the build of the npm package puts
 * `package.ts` in its place, whose files lie elsewhere and are JavaScript.
 */
export interface Installation {
  /** The checkout, or the folder of the installed package. */
  readonly root: string
  /** What people type to run a command. */
  readonly command: string
  /** Where `.faultline`, `out` and other things that are made for the user go, unless said otherwise. */
  readonly workplace: string
  readonly labs: { readonly folder: URL; readonly extension: '.ts' | '.js' }
  /** What a lab of somebody's own imports as `faultline/lab`. */
  readonly labModule: URL
  /** Ready files for `up --topology`. */
  readonly topologies: string
  /** The main file of a process: of the fault proxy, of a simulation in real time, of what cleans up after the library, of a restart loop. */
  readonly proxyMain: string
  readonly wardenMain: string
  readonly restartLoopMain: string
  readonly simulationMain: string
  /** The broker as one file, ready to run; undefined where it is made from the sources. */
  readonly brokerBundle: string | undefined
  /** The script of the report's page, bundled; undefined where it is made from the sources. */
  readonly pageScript: string | undefined
  /** Folder with `pom.xml` and the logging configurations of Apache Kafka. */
  readonly kafkaFiles: string
  /** Folder that the image of Apache Kafka is built from. */
  readonly kafkaImage: string
  /** Folder that the image is built from which breaks links beside nodes. */
  readonly packetFilterImage: string
  /** What `docker build` is given. The name of a package's image has its version: an older one is another one. */
  readonly image: { readonly name: string; readonly context: string; readonly dockerfile: string }
  /** Where Node.js keeps compiled code between runs. */
  readonly compileCache: string
}
