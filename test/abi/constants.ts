/**
 * Every constant of the io_uring and virtio ABIs with the C expression that stands for it in the
 * kernel's headers: what the oracle, the golden file and the portability test compare.
 */
import * as cqe from "../../assembly/abi/cqe";
import * as enter from "../../assembly/abi/enter";
import * as errno from "../../assembly/abi/errno";
import * as op from "../../assembly/abi/op";
import * as opflag from "../../assembly/abi/opflag";
import * as register from "../../assembly/abi/register";
import * as setup from "../../assembly/abi/setup";
import * as sqe from "../../assembly/abi/sqe";
import * as virtioBlk from "../../assembly/abi/virtio-blk";
import * as virtioMmio from "../../assembly/abi/virtio-mmio";
import * as virtqueue from "../../assembly/abi/virtqueue";

/** The files of assembly/abi that mirror the kernel's headers. */
export const KERNEL_MODULES = {
  cqe,
  enter,
  errno,
  op,
  opflag,
  register,
  setup,
  sqe,
  virtqueue,
  "virtio-blk": virtioBlk,
  "virtio-mmio": virtioMmio,
};

/** What a constant is called in C. */
export type CName =
  | { kind: "value"; name: string }
  | { kind: "offset"; struct: string; field: string }
  | { kind: "size"; struct: string };

export interface Constant {
  /** "Op.NOP", or a bare name. */
  name: string;
  value: number;
  /** The file of assembly/abi, without extension. */
  module: string;
  /** Null when no header names it. */
  c: CName | null;
}

/** Enums of values: what precedes the member's name in C. */
const PREFIXES: Record<string, string> = {
  Accept: "IORING_ACCEPT_",
  AsyncCancel: "IORING_ASYNC_CANCEL_",
  CqFlag: "IORING_CQ_",
  CqeFlag: "IORING_CQE_F_",
  EnterFlag: "IORING_ENTER_",
  Errno: "",
  Fadvise: "POSIX_FADV_",
  FallocateMode: "FALLOC_FL_",
  Feature: "IORING_FEAT_",
  FixedFdInstall: "IORING_FIXED_FD_",
  Fsync: "IORING_FSYNC_",
  IoWorker: "IO_WQ_",
  MmapOffset: "IORING_OFF_",
  MsgRing: "IORING_MSG_",
  MsgRingFlag: "IORING_MSG_RING_",
  Nop: "IORING_NOP_",
  Op: "IORING_OP_",
  PbufRingFlag: "IOU_PBUF_RING_",
  Poll: "POLL",
  PollFlag: "IORING_POLL_",
  RecvSend: "IORING_RECVSEND_",
  Register: "IORING_REGISTER_",
  RestrictionKind: "IORING_RESTRICTION_",
  RwAttr: "IORING_RW_ATTR_FLAG_",
  Rwf: "RWF_",
  SetupFlag: "IORING_SETUP_",
  Shutdown: "SHUT_",
  SqFlag: "IORING_SQ_",
  SqeFlag: "IOSQE_",
  SyncFileRange: "SYNC_FILE_RANGE_",
  Timeout: "IORING_TIMEOUT_",
  UringCmd: "IORING_URING_CMD_",
  VirtioBlkFeature: "VIRTIO_BLK_F_",
  VirtioBlkStatus: "VIRTIO_BLK_S_",
  VirtioBlkType: "VIRTIO_BLK_T_",
  VirtioFeature: "VIRTIO_RING_F_",
  VirtioInterrupt: "VIRTIO_MMIO_INT_",
  VirtioRegister: "VIRTIO_MMIO_",
  VirtioStatus: "VIRTIO_CONFIG_S_",
  VringDescFlag: "VRING_DESC_F_",
};

/** Enums of this project's own in files that mirror headers. */
const OWN = ["VirtioDeviceFlag", "VirtioDeviceInfo"];

/** Enums of byte offsets: the structure they describe. */
const STRUCTS: Record<string, string> = {
  AttrPi: "io_uring_attr_pi",
  Buf: "io_uring_buf",
  BufReg: "io_uring_buf_reg",
  Cqe: "io_uring_cqe",
  CqOffset: "io_cqring_offsets",
  FileIndexRange: "io_uring_file_index_range",
  FilesUpdate: "io_uring_files_update",
  GeteventsArg: "io_uring_getevents_arg",
  IoVec: "iovec",
  KernelTimespec: "__kernel_timespec",
  MemRegionReg: "io_uring_mem_region_reg",
  Params: "io_uring_params",
  Probe: "io_uring_probe",
  ProbeOp: "io_uring_probe_op",
  RegWait: "io_uring_reg_wait",
  RegionDesc: "io_uring_region_desc",
  Restriction: "io_uring_restriction",
  RsrcRegister: "io_uring_rsrc_register",
  RsrcUpdate2: "io_uring_rsrc_update2",
  SqOffset: "io_sqring_offsets",
  Sqe: "io_uring_sqe",
  SyncCancelReg: "io_uring_sync_cancel_reg",
  VirtioBlkConfig: "virtio_blk_config",
  VirtioBlkHeader: "virtio_blk_outhdr",
  VirtioBlkRange: "virtio_blk_discard_write_zeroes",
  VringAvail: "vring_avail",
  VringDesc: "vring_desc",
  VringUsed: "vring_used",
  VringUsedElement: "vring_used_elem",
};

/** Names that the rule does not give; null where the headers have none. */
const VALUE_NAMES: Record<string, string | null> = {
  "CqeFlag.F_32": "IORING_CQE_F_32",
  "Op.LAST": null,
  "RecvSend.RECV_MULTISHOT": "IORING_RECV_MULTISHOT",
  "RecvSend.SEND_VECTORIZED": "IORING_SEND_VECTORIZED",
  "RecvSend.SEND_ZC_REPORT_USAGE": "IORING_SEND_ZC_REPORT_USAGE",
  "Register.LAST": null,
  "Timeout.LINK_UPDATE": "IORING_LINK_TIMEOUT_UPDATE",
  CQE32_SIZE: null,
  CQE_BUFFER_SHIFT: "IORING_CQE_BUFFER_SHIFT",
  FILE_INDEX_ALLOC: "IORING_FILE_INDEX_ALLOC",
  MEM_REGION_REG_WAIT_ARG: "IORING_MEM_REGION_REG_WAIT_ARG",
  MEM_REGION_TYPE_USER: "IORING_MEM_REGION_TYPE_USER",
  MMAP_PBUF_RING: "IORING_OFF_PBUF_RING",
  MMAP_PBUF_SHIFT: "IORING_OFF_PBUF_SHIFT",
  OP_SUPPORTED: "IO_URING_OP_SUPPORTED",
  REGISTER_FILES_EMPTY: null,
  REGISTER_FILES_SKIP: "IORING_REGISTER_FILES_SKIP",
  REGISTER_USE_REGISTERED_RING: "IORING_REGISTER_USE_REGISTERED_RING",
  REG_WAIT_TS: "IORING_REG_WAIT_TS",
  RSRC_REGISTER_SPARSE: "IORING_RSRC_REGISTER_SPARSE",
  SQE128_SIZE: null,
  "VirtioFeature.VERSION_1": "VIRTIO_F_VERSION_1",
  VIRTIO_BLK_ID_BYTES: "VIRTIO_BLK_ID_BYTES",
  VIRTIO_BLK_SECTOR_BYTES: null,
  VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP: "VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP",
  VIRTIO_ID_BLOCK: "VIRTIO_ID_BLOCK",
  VIRTIO_MMIO_MAGIC: null,
  // In the header this is the name of the register.
  VIRTIO_MMIO_VERSION: null,
  VIRTQUEUE_SIZE_MAX: null,
  VRING_AVAIL_ALIGN: "VRING_AVAIL_ALIGN_SIZE",
  VRING_AVAIL_F_NO_INTERRUPT: "VRING_AVAIL_F_NO_INTERRUPT",
  VRING_DESC_ALIGN: "VRING_DESC_ALIGN_SIZE",
  VRING_USED_ALIGN: "VRING_USED_ALIGN_SIZE",
  VRING_USED_F_NO_NOTIFY: "VRING_USED_F_NO_NOTIFY",
};

const FIELD_NAMES: Record<string, string> = {
  "IoVec.BASE": "iov_base",
  "IoVec.LEN": "iov_len",
  "MemRegionReg.RESV": "__resv",
  "RegionDesc.RESV": "__resv",
  "RegionDesc.SIZE_BYTES": "size",
  "Sqe.OP_FLAGS": "rw_flags",
  "Sqe.PAD2": "__pad2",
  "SyncCancelReg.TIMEOUT_TV_NSEC": "timeout.tv_nsec",
  "SyncCancelReg.TIMEOUT_TV_SEC": "timeout.tv_sec",
};

/** Of structures: what is not the offset of the field of that name, or its size. */
const STRUCT_NAMES: Record<string, CName | null> = {
  "Buf.TAIL": { kind: "offset", struct: "io_uring_buf_ring", field: "tail" },
  // Newer headers go on behind what is known here.
  "VirtioBlkConfig.SIZE": {
    kind: "offset",
    struct: "virtio_blk_config",
    field: "max_secure_erase_sectors",
  },
  "VringAvail.ELEMENT_SIZE": null,
  "VringUsed.ELEMENT_SIZE": { kind: "size", struct: "vring_used_elem" },
};

function cValueName(name: string): CName | null {
  const special = VALUE_NAMES[name];
  if (special === null) return null;
  if (special !== undefined) return { kind: "value", name: special };
  const [group = "", member = ""] = name.split(".");
  if (OWN.includes(group)) return null;
  const prefix = PREFIXES[group];
  if (prefix === undefined) throw new Error(`constants.ts does not say what ${name} is in C`);
  if (group === "Register" && member.startsWith("UNREGISTER_")) {
    return { kind: "value", name: `IORING_${member}` };
  }
  return { kind: "value", name: prefix + member };
}

function cName(name: string): CName | null {
  const [group = "", member = ""] = name.split(".");
  const struct = STRUCTS[group];
  if (struct === undefined) return cValueName(name);
  const special = STRUCT_NAMES[name];
  if (special !== undefined) return special;
  if (member === "SIZE") return { kind: "size", struct };
  return { kind: "offset", struct, field: FIELD_NAMES[name] ?? member.toLowerCase() };
}

/** The numbers that a module exports, those of an enum as "Enum.MEMBER". */
export function numbersOf(exports: object): [name: string, value: number][] {
  const numbers: [string, number][] = [];
  for (const [name, exported] of Object.entries(exports)) {
    if (typeof exported === "number") numbers.push([name, exported]);
    else if (typeof exported === "object" && exported !== null) {
      for (const [member, value] of Object.entries(exported)) {
        if (typeof value === "number") numbers.push([`${name}.${member}`, value]);
      }
    } else throw new Error(`${name} is neither a number nor an enum`);
  }
  return numbers;
}

/** All constants of the kernel's ABI, in the order of their names. */
export function kernelConstants(): Constant[] {
  const constants: Constant[] = [];
  for (const [module, exports] of Object.entries(KERNEL_MODULES)) {
    for (const [name, value] of numbersOf(exports)) {
      constants.push({ name, value, module, c: cName(name) });
    }
  }
  return constants.sort((a, b) => (a.name < b.name ? -1 : 1));
}
