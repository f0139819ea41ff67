const extendedOffset = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

/** Milliseconds since the epoch of an ISO 8601 date and time with `T` and an offset; null for any other text. */
export function parseTimestampMs(text: string): number | null {
  const [, , month = '', day = '', hour = '', minute = '', second = ''] = extendedOffset.exec(text) ?? [];
  if (month === '' || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) {
    return null;
  }
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) {
    return null;
  }
  // Date.parse rolls 31 February over into March.
  const [year = ''] = text.split('-');
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day) ? ms : null;
}
