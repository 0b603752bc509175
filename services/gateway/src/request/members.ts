import { FanfareError } from '../errors.ts';
import { membersOf } from '../json-source.ts';

/** The members of a JSON object with their values' source text. `at` names it for who reads the error. Throws FanfareError `invalid_request`. */
export function objectMembers(text: string, at: string): Map<string, string> {
  try {
    const members = membersOf(text);
    if (members !== undefined) return members;
  } catch (error) {
    throw new FanfareError('invalid_request', `${at}: ${(error as Error).message}`);
  }
  throw new FanfareError('invalid_request', `${at} must be a JSON object`);
}

/** A member's text; undefined when there is no such member. Throws FanfareError `invalid_request` when it is something else. */
export function stringMember(members: Map<string, string>, name: string, at: string): string | undefined {
  const source = members.get(name);
  if (source === undefined) return undefined;
  const value: unknown = JSON.parse(source);
  if (typeof value !== 'string') throw new FanfareError('invalid_request', `${at}: "${name}" must be a string`);
  return value;
}
