/** What a grant became: one filled slot of a guest's fixed file table. */
import type { GrantKind } from "../abi";

/** Structured-cloneable: it crosses to the guest's worker. */
export interface GrantSlot {
  slot: number;
  name: string;
  /** The host's descriptor; the granter keeps it open until the ring is closed. */
  fd: number;
  /** Bits of GrantAccess. */
  access: number;
  kind: GrantKind;
  direct: boolean;
  /** 1 unless direct. */
  alignmentBytes: number;
  sizeBytes: number;
}
