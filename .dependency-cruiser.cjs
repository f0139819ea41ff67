/** The doors between the rooms. Each rule says in words why the door is closed. */
const room = (name) => `^${name}/`;
/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'core-imports-only-core',
      comment: 'Decisions are pure: they run on AWS, on a laptop and in simulation, and are tested in milliseconds.',
      severity: 'error',
      from: { path: room('core') },
      to: { path: '^(adapters|engines|lambdas|agents|lib|local|bin|bench|test)/' },
    },
    {
      name: 'core-uses-no-io-package',
      comment: 'Core computes. Only hashing and validation may come from outside.',
      severity: 'error',
      from: { path: room('core') },
      to: { dependencyTypes: ['core', 'npm'], pathNot: '^(node:)?(crypto|buffer)$|node_modules/zod' },
    },
    {
      name: 'adapters-and-engines-import-core',
      comment: 'An adapter translates one port; it knows nothing of the workflows that use it.',
      severity: 'error',
      from: { path: '^(adapters|engines)/' },
      to: { path: '^(lambdas|agents|lib|local|bin|bench|test)/' },
    },
    {
      name: 'what-runs-knows-no-cdk',
      comment: 'A Lambda or an agent that imports the CDK would ship it.',
      severity: 'error',
      from: { path: '^(core|adapters|engines|lambdas|agents)/' },
      to: { path: 'node_modules/(aws-cdk-lib|constructs|cdk-nag)|^lib/' },
    },
    {
      name: 'lib-names-lambdas-by-path',
      comment:
        'Synthesis must not load the code that it deploys; of the adapters it needs their permission lists only.',
      severity: 'error',
      from: { path: room('lib') },
      to: {
        path: '^(lambdas|agents|local|engines|test|bench)/|^adapters/(?!aws/.*\\.permissions\\.ts$|permissions\\.ts$)',
      },
    },
    {
      name: 'a-step-never-imports-a-step',
      comment: 'Steps meet in the state machine, where the operator can see it.',
      severity: 'error',
      from: { path: '^lambdas/([^/]+)/[^/]+\\.ts$' },
      to: { path: '^lambdas/', pathNot: '^lambdas/ports\\.ts$' },
    },
    {
      name: 'only-local-and-test-import-local',
      comment: 'The local cloud is not deployed.',
      severity: 'error',
      from: { pathNot: '^(local|test|bench|bin)/' },
      to: { path: room('local') },
    },
    {
      name: 'no-circles',
      comment: 'A circle has no first room to read.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-dev-dependency-in-what-ships',
      comment: 'A development dependency is absent where this runs.',
      severity: 'error',
      from: { path: '^(core|adapters|engines|lambdas|agents)/' },
      to: { dependencyTypes: ['npm-dev'], pathNot: '@types/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
