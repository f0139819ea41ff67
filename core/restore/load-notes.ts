import { padded } from '../backup/object-keys';

/** Where an item's rows came from: `damaged` is a range of the survivor in place of a damaged chunk. */
export type LoadSource = 'backup' | 'survivor' | 'damaged';

/** What loading an item came to, kept in the name of an empty object. */
export interface LoadNote {
  readonly attempt: number;
  readonly number: number;
  readonly rows: number;
  readonly bytes: number;
  readonly source: LoadSource;
}

export function loadNoteName(note: LoadNote): string {
  return `${note.attempt}-${padded(note.number)}-${note.rows}-${note.bytes}-${note.source}`;
}

const pattern = /\/(\d+)-(\d{6,})-(\d+)-(\d+)-(backup|survivor|damaged)$/;

/** The note in a key; null when it holds none. */
export function loadNoteOf(key: string): LoadNote | null {
  const match = pattern.exec(key);
  if (match === null) {
    return null;
  }
  const [, attempt, number, rows, bytes, source] = match;
  return {
    attempt: Number(attempt),
    number: Number(number),
    rows: Number(rows),
    bytes: Number(bytes),
    source: source === 'backup' || source === 'survivor' ? source : 'damaged',
  };
}

/** Rows and bytes of all items. An item that was noted twice, by a call that was repeated, counts once. */
export function sumOfNotes(notes: readonly LoadNote[]): {
  readonly rows: number;
  readonly bytes: number;
  readonly chunks: number;
  readonly damagedChunks: number;
} {
  const byItem = new Map(notes.map((note) => [`${note.attempt}/${note.number}`, note]));
  const items = [...byItem.values()];
  return {
    rows: items.reduce((sum, note) => sum + note.rows, 0),
    bytes: items.reduce((sum, note) => sum + note.bytes, 0),
    chunks: items.length,
    damagedChunks: items.filter((note) => note.source === 'damaged').length,
  };
}
