import { defineConfig } from 'eslint/config';
import jest from 'eslint-plugin-jest';
import tseslint from 'typescript-eslint';

/** A block's own list replaces that of the blocks before it, so each names all that holds there. */
const restrictedEverywhere = [
  {
    selector: "ImportDeclaration[source.value='zod'] > :matches(ImportSpecifier, ImportDefaultSpecifier)",
    message:
      "write import * as z from 'zod': any other way brings all of zod, with all its languages, into each bundle",
  },
];

export default defineConfig(
  { ignores: ['node_modules', 'cdk.out', 'dist', '.rejoin', 'coverage'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // An async step or port may have nothing to await in one of its implementations.
      '@typescript-eslint/require-await': 'off',
      // Numbers read well in messages; everything else must be turned into words on purpose.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'randomness is injected, so that a seed replays a run' },
      ],
      'no-restricted-syntax': ['error', ...restrictedEverywhere],
      'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', 5],
    },
  },
  {
    files: ['core/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', { name: 'setTimeout', message: 'core has no clock: take a Clock' }],
      'no-restricted-syntax': [
        'error',
        ...restrictedEverywhere,
        {
          selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
          message: 'core has no clock: take a Clock',
        },
        {
          selector: "NewExpression[callee.name='Date'][arguments.length=0]",
          message: 'core has no clock: take a Clock',
        },
      ],
    },
  },
  {
    // Constructs are made for their effect on the tree.
    files: ['lib/**/*.ts', 'bin/**/*.ts', 'test/lib/**/*.ts'],
    rules: { 'no-new': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    extends: [jest.configs['flat/recommended']],
    rules: {
      // Contract suites and rules over all states assert in functions of these names.
      'jest/expect-expect': ['error', { assertFunctionNames: ['expect', 'expect*', 'fc.assert', 'assert*'] }],
      'jest/no-standalone-expect': 'off',
      // A contract suite is exported to the test files that run it on each implementation.
      'jest/no-export': 'off',
      'jest/valid-title': 'off',
      'max-lines': 'off',
    },
  },
);
