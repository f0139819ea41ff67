import type { Json } from '../../core/json';

/** `{value}` or `{error}`: how every call of the control process is answered. */
export type Answer = { readonly value: Json } | { readonly error: { readonly name: string; readonly message: string } };

/** Names the node for which a call is made. */
export const callerHeader = 'x-rejoin-caller';
