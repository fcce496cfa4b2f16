/** An SQE with every field under the attacker's hand, however little sense it makes. */
import { Sqe, SqeFlag } from "../../host/abi";

export interface RawSqe {
  opcode: number;
  /** Default FIXED_FILE. */
  flags?: number;
  ioprio?: number;
  slot?: number;
  off?: bigint;
  addr?: bigint;
  len?: number;
  opFlags?: number;
  userData?: number;
  bufIndex?: number;
  personality?: number;
  spliceFdIn?: number;
  addr3?: bigint;
  pad2?: bigint;
}

/** Writes all 64 bytes; what is left out is 0, but for the flags. */
export function writeRawSqe(view: DataView, at: number, sqe: RawSqe): void {
  view.setUint8(at + Sqe.OPCODE, sqe.opcode);
  view.setUint8(at + Sqe.FLAGS, sqe.flags ?? SqeFlag.FIXED_FILE);
  view.setUint16(at + Sqe.IOPRIO, sqe.ioprio ?? 0, true);
  view.setInt32(at + Sqe.FD, sqe.slot ?? 0, true);
  view.setBigUint64(at + Sqe.OFF, BigInt.asUintN(64, sqe.off ?? 0n), true);
  view.setBigUint64(at + Sqe.ADDR, BigInt.asUintN(64, sqe.addr ?? 0n), true);
  view.setUint32(at + Sqe.LEN, (sqe.len ?? 0) >>> 0, true);
  view.setUint32(at + Sqe.OP_FLAGS, (sqe.opFlags ?? 0) >>> 0, true);
  view.setBigUint64(at + Sqe.USER_DATA, BigInt(sqe.userData ?? 0), true);
  view.setUint16(at + Sqe.BUF_INDEX, sqe.bufIndex ?? 0, true);
  view.setUint16(at + Sqe.PERSONALITY, sqe.personality ?? 0, true);
  view.setInt32(at + Sqe.SPLICE_FD_IN, sqe.spliceFdIn ?? 0, true);
  view.setBigUint64(at + Sqe.ADDR3, BigInt.asUintN(64, sqe.addr3 ?? 0n), true);
  view.setBigUint64(at + Sqe.PAD2, BigInt.asUintN(64, sqe.pad2 ?? 0n), true);
}
