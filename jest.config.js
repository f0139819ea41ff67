/** @type {import('jest').Config} */
const shared = {
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  testEnvironment: 'node',
};

/** Steps are loaded without the clients of AWS, which take seconds and an environment: see test/support/unused-ports.ts. */
const stepsAlone = { moduleNameMapper: { '^\\.\\./\\.\\./adapters/ports$': '<rootDir>/test/support/unused-ports.ts' } };

/**
 * Four suites: `unit` has no network and takes seconds; `server` uses real PostgreSQL processes; `e2e` rehearses each fault on
 * the local cloud; `aws` talks to moto_server.
 */
module.exports = {
  projects: [
    {
      ...shared,
      ...stepsAlone,
      displayName: 'unit',
      testMatch: ['<rootDir>/test/**/*.test.ts'],
      testPathIgnorePatterns: [
        '\\.server\\.test\\.ts$',
        '\\.aws\\.test\\.ts$',
        '\\.e2e\\.test\\.ts$',
        '/node_modules/',
      ],
    },
    { ...shared, ...stepsAlone, displayName: 'server', testMatch: ['<rootDir>/test/**/*.server.test.ts'] },
    { ...shared, displayName: 'e2e', testMatch: ['<rootDir>/test/**/*.e2e.test.ts'] },
    { ...shared, displayName: 'aws', testMatch: ['<rootDir>/test/**/*.aws.test.ts'] },
  ],
  globalSetup: '<rootDir>/test/support/temporary-folder.ts',
  globalTeardown: '<rootDir>/test/support/remove-temporary-folder.ts',
  testTimeout: 60_000,
  reporters: ['default', '<rootDir>/test/support/closing-line-reporter.cjs'],
};
