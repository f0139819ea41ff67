import fc from 'fast-check';
import {
  creationOrder,
  type CreatedObject,
  type Dependency,
  type ObjectKind,
} from '../../../core/structure/creation-order';

const kinds: readonly ObjectKind[] = ['collation', 'type', 'function', 'sequence', 'table', 'view'];

/** Objects that need only earlier ones, so that there is no circle. */
const graphs = fc
  .array(fc.record({ kind: fc.constantFrom(...kinds), needs: fc.array(fc.nat()), atCreation: fc.boolean() }), {
    maxLength: 30,
  })
  .map((drawn) => ({
    objects: drawn.map(({ kind }, index): CreatedObject => ({ id: `o${index}`, kind, name: `n${(index * 7) % 31}` })),
    dependencies: drawn.flatMap(({ needs, atCreation }, index): Dependency[] =>
      index === 0 ? [] : needs.map((to) => ({ from: `o${index}`, to: `o${to % index}`, atCreation })),
    ),
  }));

test('everything is created once, after what it needs', () => {
  fc.assert(
    fc.property(graphs, ({ objects, dependencies }) => {
      const { beforeRows, afterRows } = creationOrder(objects, dependencies);
      const order = [...beforeRows, ...afterRows];
      expect([...order].sort()).toEqual(objects.map(({ id }) => id).sort());
      const place = new Map(order.map((id, index) => [id, index]));
      for (const { from, to } of dependencies.filter(({ atCreation }) => atCreation)) {
        expect(place.get(to)).toBeLessThan(place.get(from) ?? -1);
      }
    }),
  );
});

test('tables, types and sequences, and all that they need in any way, come before the rows', () => {
  fc.assert(
    fc.property(graphs, ({ objects, dependencies }) => {
      const { beforeRows } = creationOrder(objects, dependencies);
      const before = new Set(beforeRows);
      for (const { id, kind } of objects.filter((object) => object.kind !== 'view' && object.kind !== 'function')) {
        expect([id, kind, before.has(id)]).toEqual([id, kind, true]);
      }
      for (const { to } of dependencies.filter(({ from }) => before.has(from))) {
        expect(before.has(to)).toBe(true);
      }
    }),
  );
});

test('the order does not depend on the order of the input', () => {
  fc.assert(
    fc.property(graphs, ({ objects, dependencies }) => {
      const unique = objects.map((object, index) => ({ ...object, name: `n${index}` }));
      const forward = creationOrder(unique, dependencies);
      expect(creationOrder([...unique].reverse(), [...dependencies].reverse())).toEqual(forward);
    }),
  );
});

test('views come after the rows, with the functions that need them', () => {
  const objects: CreatedObject[] = [
    { id: 'v', kind: 'view', name: 'totals' },
    { id: 'f', kind: 'function', name: 'all_totals' },
    { id: 't', kind: 'table', name: 'orders' },
    { id: 'g', kind: 'function', name: 'plain' },
  ];
  const dependencies = [
    { from: 'v', to: 't', atCreation: true },
    { from: 'f', to: 'v', atCreation: true },
  ];
  expect(creationOrder(objects, dependencies)).toEqual({ beforeRows: ['g', 't'], afterRows: ['v', 'f'] });
});

test('a circle is refused with its members', () => {
  const objects: CreatedObject[] = [
    { id: '1', kind: 'type', name: 'money' },
    { id: '2', kind: 'function', name: 'check_money' },
  ];
  const dependencies = [
    { from: '1', to: '2', atCreation: true },
    { from: '2', to: '1', atCreation: true },
  ];
  expect(() => creationOrder(objects, dependencies)).toThrow(/^these objects .*: money, check_money; break/);
});
