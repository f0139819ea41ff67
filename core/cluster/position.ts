import { RejoinError } from '../errors';

/** A position in one node's log, as PostgreSQL writes it: `16/B374D848`. Positions of different nodes don't compare. */
export type LogPosition = string;

const pattern = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i;

/** The position as a number of bytes. @throws InvalidInput when it isn't one */
export function positionBytes(position: LogPosition): bigint {
  const match = pattern.exec(position);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new RejoinError(
      'InvalidInput',
      `'${position}' is not a log position; expected two hexadecimal numbers such as '16/B374D848'`,
    );
  }
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}

/** The number of bytes as a position. */
export function positionOf(bytes: bigint): LogPosition {
  return `${(bytes >> 32n).toString(16).toUpperCase()}/${(bytes & 0xffff_ffffn).toString(16).toUpperCase()}`;
}

/** Negative when `left` is before `right`, 0 when equal, positive when after. */
export function comparePositions(left: LogPosition, right: LogPosition): number {
  const difference = positionBytes(left) - positionBytes(right);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** How many bytes of log lie between two positions; negative when `to` is before `from`. */
export function bytesBetween(from: LogPosition, to: LogPosition): number {
  return Number(positionBytes(to) - positionBytes(from));
}
