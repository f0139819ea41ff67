import type { Peculiarity } from '../ports/database-engine';

const namedAtMost = 3;

/** What is handled, one line a kind: how many objects, how, and which; a database may have thousands. */
export function summaryOf(peculiarities: readonly Peculiarity[]): readonly string[] {
  const kinds = new Map<string, Peculiarity[]>();
  for (const peculiarity of peculiarities) {
    kinds.set(peculiarity.kind, [...(kinds.get(peculiarity.kind) ?? []), peculiarity]);
  }
  return [...kinds].map(([kind, those]) => {
    const names = those.slice(0, namedAtMost).map(({ object }) => object);
    const more = those.length > namedAtMost ? ` and ${those.length - namedAtMost} more` : '';
    return `${kind}: ${names.join(', ')}${more}: ${those[0]?.reason ?? ''}`;
  });
}
