/** Longest file name that every file system takes is 255 bytes; the rest is for what is put behind a piece. */
const pieceChars = 200;
/** Marks a piece of a segment that goes on in the next path part. No encoded text contains it. */
const goesOn = '~';
const directoryEnding = '.d';

/**
 * Where an object's file lies under its bucket's folder: `orders/b1/manifest.json` is `orders.d/b1.d/manifest.json`.
 *
 * Each key has a path of its own whatever its characters, also where the file system ignores case: folders end in `.d` and
 * files never do; a capital letter becomes `!` and the small one; every other byte but `a-z 0-9 . _ - =` becomes `%xx`; an
 * empty segment is `%`. So no key leads out of the folder.
 */
export function pathOfKey(key: string): string {
  const segments = key.split('/');
  return segments
    .flatMap((segment, index) => {
      const isFile = index === segments.length - 1;
      const pieces = cut(encodeSegment(segment, isFile));
      return pieces.map((piece, part) =>
        part < pieces.length - 1 ? piece + goesOn + directoryEnding : isFile ? piece : piece + directoryEnding,
      );
    })
    .join('/');
}

/** The key of a path that `pathOfKey` gave. */
export function keyOfPath(path: string): string {
  const segments: string[] = [];
  let begun = '';
  for (const part of path.split('/')) {
    const bare = part.endsWith(directoryEnding) ? part.slice(0, -directoryEnding.length) : part;
    if (bare.endsWith(goesOn)) {
      begun += bare.slice(0, -goesOn.length);
    } else {
      segments.push(decodeSegment(begun + bare));
      begun = '';
    }
  }
  return segments.join('/');
}

/** The deepest folder under which every key with this prefix lies; '' is the bucket's own. */
export function folderOfPrefix(prefix: string): string {
  const end = prefix.lastIndexOf('/');
  const path = end === -1 ? '' : pathOfKey(prefix.slice(0, end + 1));
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
}

function encodeSegment(segment: string, isFile: boolean): string {
  if (segment === '') {
    return '%';
  }
  let encoded = '';
  for (const byte of Buffer.from(segment)) {
    encoded += encodeByte(byte);
  }
  // '.', '..' and hidden names, and a file that looks like a folder.
  encoded = encoded.replace(/^\./, '%2e');
  return isFile ? encoded.replace(/\.d$/, '%2ed') : encoded;
}

function encodeByte(byte: number): string {
  const character = String.fromCharCode(byte);
  if (/[a-z0-9._=-]/.test(character)) {
    return character;
  }
  return /[A-Z]/.test(character) ? `!${character.toLowerCase()}` : `%${byte.toString(16).padStart(2, '0')}`;
}

function decodeSegment(encoded: string): string {
  if (encoded === '%') {
    return '';
  }
  const bytes: number[] = [];
  for (let at = 0; at < encoded.length; at++) {
    const character = encoded.charAt(at);
    if (character === '%') {
      bytes.push(Number.parseInt(encoded.slice(at + 1, at + 3), 16));
      at += 2;
    } else if (character === '!') {
      bytes.push(
        encoded
          .charAt(at + 1)
          .toUpperCase()
          .charCodeAt(0),
      );
      at += 1;
    } else {
      bytes.push(character.charCodeAt(0));
    }
  }
  return Buffer.from(bytes).toString();
}

/** Pieces of at most `pieceChars` characters, cut between bytes, none of them empty or beginning with a dot. */
function cut(encoded: string): readonly string[] {
  const pieces: string[] = [];
  let piece = '';
  for (const [token] of encoded.matchAll(/%[0-9a-f]{2}|![a-z]|./g)) {
    if (piece.length + token.length > pieceChars) {
      pieces.push(piece);
      piece = token === '.' ? '%2e' : token;
    } else {
      piece += token;
    }
  }
  pieces.push(piece);
  return pieces;
}
