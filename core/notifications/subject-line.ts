/** SNS takes at most this many characters. */
const maxLength = 100;

/** A subject as SNS takes it: one line of printable ASCII, cut at 100 characters. */
export function subjectLine(subject: string): string {
  const line = subject
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[^ -~]/g, '?')
    .trim();
  return line.length <= maxLength ? line : `${line.slice(0, maxLength - 3)}...`;
}
