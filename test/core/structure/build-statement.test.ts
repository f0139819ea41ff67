import fc from 'fast-check';
import { buildTarget } from '../../../core/structure/build-statement';

const names = fc.oneof(
  fc.string({ minLength: 1, maxLength: 20 }).filter((name) => !name.includes('\0')),
  fc.constantFrom('a b', 'a"b', ' ON ', 'a.b', '"', '(', "O'Brien", 'Ä', 'ADD CONSTRAINT x UNIQUE'),
);
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

test('names of any kind come back from the statements that build', () => {
  fc.assert(
    fc.property(names, names, names, (schema, table, name) => {
      const on = `${quoted(schema)}.${quoted(table)}`;
      expect(buildTarget(`ALTER TABLE ONLY ${on} ADD CONSTRAINT ${quoted(name)} PRIMARY KEY (id)`)).toEqual({
        kind: 'constraint',
        schema,
        table,
        name,
      });
      expect(buildTarget(`CREATE UNIQUE INDEX ${quoted(name)} ON ${on} USING btree (id)`)).toEqual({
        kind: 'index',
        schema,
        table,
        name,
      });
    }),
  );
});

test.each([
  'CREATE INDEX parent_idx ON ONLY s.parent USING btree (id)',
  'ALTER TABLE s.t ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES s.u(id) NOT VALID',
  'ALTER TABLE ONLY s.t ADD CONSTRAINT positive CHECK ((a > 0))',
  'ALTER TABLE ONLY s.t ATTACH PARTITION s.u DEFAULT',
  "COMMENT ON INDEX s.i IS 'CREATE INDEX i ON s.t '",
])('other statements build nothing: %s', (statement) => {
  expect(buildTarget(statement)).toBeNull();
});

test('plain names are as short as the server writes them', () => {
  expect(buildTarget('CREATE INDEX orders_note ON shard_0001.orders USING btree (note)')).toEqual({
    kind: 'index',
    schema: 'shard_0001',
    table: 'orders',
    name: 'orders_note',
  });
  expect(buildTarget('ALTER TABLE ONLY shard_0001.orders ADD CONSTRAINT u UNIQUE (a) DEFERRABLE')).toEqual({
    kind: 'constraint',
    schema: 'shard_0001',
    table: 'orders',
    name: 'u',
  });
});
