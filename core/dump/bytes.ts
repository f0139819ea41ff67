/** The bytes that mean something in SQL text; in UTF-8 they are part of no other character. */
export const byte = {
  newline: 10,
  carriageReturn: 13,
  doubleQuote: 34,
  dollar: 36,
  singleQuote: 39,
  open: 40,
  close: 41,
  star: 42,
  minus: 45,
  dot: 46,
  slash: 47,
  semicolon: 59,
  backslash: 92,
} as const;

export function isWordByte(current: number): boolean {
  return (
    (current >= 97 && current <= 122) ||
    (current >= 65 && current <= 90) ||
    isDigit(current) ||
    current === 95 ||
    current >= 128
  );
}

export function isDigit(current: number): boolean {
  return current >= 48 && current <= 57;
}

export function isSpace(current: number): boolean {
  return current === 32 || (current >= 9 && current <= 13);
}
