/**
 * What an embedder may ask to be granted: a file by its path, or a descriptor that it opened
 * itself.
 */
export type Access = "read" | "write" | "read-write";

export interface PathGrant {
  path: string;
  /**
   * Default "read". "write" and "read-write" create a missing regular file (mode 0666 less umask),
   * never truncate.
   */
  access?: Access;
  /**
   * Open with O_DIRECT: addresses, offsets and lengths must then be multiples of the alignment told
   * to the guest.
   */
  direct?: boolean;
}

export interface DescriptorGrant {
  /** An open descriptor of this process; it is duplicated, the embedder keeps its own. */
  fd: number;
  /** Must not exceed how the descriptor was opened. Default: how it was opened. */
  access?: Access;
}

export type GrantRequest = PathGrant | DescriptorGrant;
