// The timing job: percentiles with generous bounds, measured in real time, one test at a time.

const config = {
  files: ["__test__/timing/**/*.test.ts"],
  extensions: { ts: "module" },
  nodeArguments: ["--import=tsx"],
  workerThreads: false,
  concurrency: 1,
  timeout: "3m",
};

// ava reads its configuration from the default export.
export { config as default };
