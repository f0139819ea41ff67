/** A TXT record's value is one or more strings of at most this many bytes. */
const stringLimitBytes = 255;

/** A text as Route 53 takes it: quoted strings, with `"`, `\` and all that is not printable ASCII escaped. */
export function toTextValue(text: string): string {
  const bytes = Buffer.from(text);
  const strings: string[] = [];
  for (let begin = 0; begin === 0 || begin < bytes.length; begin += stringLimitBytes) {
    strings.push(`"${[...bytes.subarray(begin, begin + stringLimitBytes)].map(escaped).join('')}"`);
  }
  return strings.join(' ');
}

/** The text in a TXT record's value. */
export function fromTextValue(value: string): string {
  const bytes: number[] = [];
  for (const [, inner = ''] of value.matchAll(/"((?:[^"\\]|\\.)*)"/gs)) {
    for (const [token] of inner.matchAll(/\\[0-7]{3}|\\.|[^\\]/gs)) {
      if (/^\\[0-7]{3}$/.test(token)) {
        bytes.push(Number.parseInt(token.slice(1), 8));
      } else {
        bytes.push(...Buffer.from(token.replace(/^\\/, '')));
      }
    }
  }
  return Buffer.from(bytes).toString();
}

function escaped(byte: number): string {
  const character = String.fromCharCode(byte);
  if (character === '"' || character === '\\') {
    return `\\${character}`;
  }
  return byte >= 0x20 && byte < 0x7f ? character : `\\${byte.toString(8).padStart(3, '0')}`;
}
