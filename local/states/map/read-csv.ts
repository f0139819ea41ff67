/**
 * The records of a CSV text (RFC 4180: quoted cells, doubled quotes, line ends inside quotes), lines without content left
 * out.
 *
 * @param delimiter one character
 */
export function readCsv(text: string, delimiter: string): readonly (readonly string[])[] {
  const records: string[][] = [];
  let record: string[] = [];
  let cell = '';
  let quoted = false;
  const endCell = (): void => {
    record.push(cell);
    cell = '';
  };
  const endRecord = (): void => {
    endCell();
    if (record.length > 1 || record[0] !== '') {
      records.push(record);
    }
    record = [];
  };
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (quoted) {
      if (char !== '"') {
        cell += char;
      } else if (text.charAt(at + 1) === '"') {
        cell += '"';
        at++;
      } else {
        quoted = false;
      }
    } else if (char === '"' && cell === '') {
      quoted = true;
    } else if (char === delimiter) {
      endCell();
    } else if (char === '\n') {
      endRecord();
    } else if (char !== '\r' || text.charAt(at + 1) !== '\n') {
      cell += char;
    }
  }
  if (cell !== '' || record.length > 0) {
    endRecord();
  }
  return records;
}
