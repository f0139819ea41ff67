import { RejoinError } from '../../core/errors';

/** A variable that every Lambda function, and every agent's service file, has. @throws InvalidSettings when it is not set */
export function environment(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') {
    throw new RejoinError('InvalidSettings', `environment variable '${name}' is not set; the foundation stack sets it`);
  }
  return value;
}
