import { comparePositions, type LogPosition } from './position';

/** Where a server's log went over from one timeline to the next: a promotion. */
export interface TimelineSwitch {
  /** The timeline that ended there. */
  readonly timeline: number;
  readonly at: LogPosition;
}

/** The history file of a timeline, as PostgreSQL writes it: a line for each timeline before it; oldest first. */
export function parseTimelineHistory(text: string): readonly TimelineSwitch[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line);
    return match?.[1] === undefined || match[2] === undefined ? [] : [{ timeline: Number(match[1]), at: match[2] }];
  });
}

/**
 * Where a standby left the history of its primary: the position up to which they have the same log. Null: it did not leave
 * it, and can follow.
 *
 * @returns `0/0` where the standby is on a timeline that the primary never was on
 */
export function leftHistoryAt(
  standby: { readonly timeline: number; readonly receivedTo: LogPosition },
  primary: { readonly timeline: number; readonly history: readonly TimelineSwitch[] },
): LogPosition | null {
  if (standby.timeline === primary.timeline) {
    return null;
  }
  const ended = primary.history.find(({ timeline }) => timeline === standby.timeline);
  if (ended === undefined) {
    return '0/0';
  }
  return comparePositions(standby.receivedTo, ended.at) > 0 ? ended.at : null;
}
