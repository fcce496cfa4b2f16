/**
 * The file systems whose files are never granted: windows into the kernel or into processes that
 * look like files. A write to one is a command, a read of one may be somebody's memory, and their
 * read and write functions take addresses of the calling process instead of the ring's pinned
 * pages, which escapes the arena (kernel-facts 1).
 *
 * The table is of statfs(2)'s f_type, <linux/magic.h> unless said otherwise. It lists what is
 * refused: ordinary file systems are many and new ones appear. What it misses is caught by the
 * probe for ->read_iter in vet.ts.
 */
const REFUSED: ReadonlyMap<bigint, string> = new Map([
  [0x9fa0n, "procfs (a process's memory and the kernel's settings)"],
  [0x9fa1n, "openpromfs (firmware)"],
  [0x9fa2n, "usbdevfs (raw USB devices)"],
  [0x62656572n, "sysfs (the kernel's devices)"],
  [0x64626720n, "debugfs (the kernel's internals)"],
  [0x74726163n, "tracefs (kernel tracing)"],
  [0x73636673n, "securityfs (security policy)"],
  [0x62656570n, "configfs (kernel objects)"],
  [0x27e0ebn, "cgroup (resource control)"],
  [0x63677270n, "cgroup2 (resource control)"],
  [0x7655821n, "resctrl (resource control)"],
  [0xcafe4a11n, "bpf (programs in the kernel)"],
  [0x6165676cn, "pstore (crash records)"],
  [0xde5e81e4n, "efivarfs (firmware variables)"],
  [0xf97cff8cn, "selinuxfs (security policy)"],
  [0x43415d53n, "smackfs (security policy)"],
  [0x5a3c69f0n, "apparmorfs (security policy)"],
  [0x42494e4dn, "binfmt_misc (how programs start)"],
  [0x6c6f6f70n, "binderfs (inter-process calls)"],
  [0x6e736673n, "nsfs (namespaces)"],
  [0x50494446n, "pidfs (processes)"],
  [0x1cd1n, "devpts (terminals)"],
  [0x19800202n, "mqueue (message queues)"],
  [0x5345434dn, "secretmem (memfd_secret)"],
  [0x474d454dn, "guest_memfd (a virtual machine's memory)"],
  [0x444d4142n, "dma-buf (device memory)"],
  [0x454d444dn, "devmem"],
  [0xabba1974n, "xenfs (hypervisor calls)"],
  [0x65735543n, "fusectl (FUSE connections)"],
  // include/linux/sunrpc/rpc_pipe_fs.h, fs/nfsd/nfsctl.c, drivers/usb/gadget.
  [0x67596969n, "rpc_pipefs (NFS's control)"],
  [0x6e667364n, "nfsd (NFS's control)"],
  [0xaee71ee7n, "gadgetfs (USB gadgets)"],
  [0xa647361n, "functionfs (USB gadgets)"],
  [0x6f70726fn, "oprofilefs (kernel tracing)"],
  [0x23c9b64en, "spufs (processor contexts)"],
]);

/**
 * What the file system is when its files are never granted, in words; undefined when they may be.
 */
export function refusedFileSystem(type: bigint): string | undefined {
  // f_type is a signed long on some architectures: a 32-bit magic may come sign-extended.
  return REFUSED.get(BigInt.asUintN(32, type));
}
