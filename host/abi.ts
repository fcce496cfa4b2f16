/** The host's one door to `assembly/abi`: nothing else of `assembly/` is imported by the host. */
export * from "../assembly/abi/index";
