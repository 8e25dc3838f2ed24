// The packed command: no dependencies, one entry, commands in chunks of their own that load when they run.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { defineConfig } from "rolldown";

const { version } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));

function commit() {
  try {
    return execFileSync("git", ["rev-parse", "--short=12", "HEAD"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "unknown";
  }
}

export default defineConfig({
  input: { aiepctl: "src/main.ts" },
  platform: "node",
  resolve: { conditionNames: ["aiep:source", "node", "import", "module", "default"] },
  transform: {
    target: "node20",
    define: { AIEPCTL_VERSION: JSON.stringify(version), AIEPCTL_COMMIT: JSON.stringify(commit()) },
  },
  output: {
    dir: "dist",
    format: "esm",
    minify: true,
    cleanDir: true,
    entryFileNames: "[name].js",
    chunkFileNames: "chunks/[name]-[hash].js",
  },
});
