import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** Everything the library takes from its surroundings; the one place that reads the environment. */
export interface DevServersConfig {
  /** AIEP_NATS_SERVER: this nats-server, whatever is on PATH. */
  readonly natsServer: string | undefined;
  /** AIEP_MYSQLD: this mysqld or mariadbd, whatever is on PATH. */
  readonly mysqld: string | undefined;
  /** AIEP_S3_SERVER: a Versity S3 gateway. */
  readonly s3Server: string | undefined;
  /** AIEP_LINKIS_SERVER: a stand-in for Linkis. */
  readonly linkisServer: string | undefined;
  /** AIEP_WTSS_SERVER: a stand-in for a WTSS (Schedulis) server; default beside the checkout, where it may be missing. */
  readonly wtssServer: string;
  /** AIEP_KWOK: the program that simulates nodes of a Kubernetes cluster. */
  readonly kwok: string | undefined;
  /** AIEP_CLUSTER_BIN: where a test cluster's programs are, if one was built here. */
  readonly clusterPrograms: string;
  /** AIEP_TEST_DATABASE_URL: a running server with an account that may create databases. */
  readonly testDatabaseUrl: string | undefined;
  /** Folders searched for programs: PATH, then where distributions put servers. */
  readonly searchPath: readonly string[];
  /** Where initialised database folders are kept between runs. */
  readonly cacheDir: string;
  readonly tempDir: string;
  /** The environment of started programs: only what they need, so that no secret of ours reaches them. */
  readonly childEnv: Readonly<Record<string, string>>;
}

type Env = Readonly<Record<string, string | undefined>>;

const inheritedNames = ["PATH", "HOME", "TMPDIR", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"];
const serverFolders = [
  "/usr/sbin",
  "/usr/local/sbin",
  "/usr/local/bin",
  "/opt/homebrew/bin",
  "/opt/homebrew/sbin",
];

/** An empty variable counts as unset. */
const read = (env: Env, name: string): string | undefined => env[name] || undefined;

/** Where stand-ins for other systems are shared by several checkouts. */
const besideCheckout = (path: string): string => join(import.meta.dirname, "../../..", "../shared", path);

export function loadConfig(env: Env = process.env): DevServersConfig {
  const cacheDir = read(env, "XDG_CACHE_HOME") ?? join(homedir(), ".cache");
  const inherited = inheritedNames.flatMap((name) => {
    const value = read(env, name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    natsServer: read(env, "AIEP_NATS_SERVER"),
    mysqld: read(env, "AIEP_MYSQLD"),
    s3Server: read(env, "AIEP_S3_SERVER"),
    linkisServer: read(env, "AIEP_LINKIS_SERVER"),
    wtssServer: read(env, "AIEP_WTSS_SERVER") ?? besideCheckout("servers/wtss/server"),
    kwok: read(env, "AIEP_KWOK"),
    clusterPrograms: read(env, "AIEP_CLUSTER_BIN") ?? join(cacheDir, "aiep-cluster/bin"),
    testDatabaseUrl: read(env, "AIEP_TEST_DATABASE_URL"),
    searchPath: [
      ...(read(env, "PATH") ?? "").split(delimiter).filter((folder) => folder !== ""),
      ...serverFolders,
    ],
    cacheDir: join(cacheDir, "aiep-dev-servers"),
    tempDir: tmpdir(),
    childEnv: { LC_ALL: "C", TZ: "UTC", ...Object.fromEntries(inherited) },
  };
}
