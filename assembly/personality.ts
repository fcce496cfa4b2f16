/**
 * Personalities: credentials that the embedder registered with this guest's ring under a name. A request that carries
 * one is carried out with the rights of that user, not with those of the host process.
 */
import { Sqe } from "./abi";
import { uringPersonality } from "./host";

/**
 * The id of the personality of this name, for `usePersonality`; a negated errno: -ENOENT there is none, -EBADF there is
 * no ring yet.
 */
export function findPersonality(name: string): i32 {
  const encoded = String.UTF8.encode(name);
  return uringPersonality(changetype<usize>(encoded), encoded.byteLength);
}

/** Has a prepared request carried out under a personality; 0 is the host's own credentials. */
// @ts-ignore: decorator
@inline
export function usePersonality(sqe: usize, personality: u16): void {
  store<u16>(sqe, personality, Sqe.PERSONALITY);
}
