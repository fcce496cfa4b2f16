/** OpenedGrants: what a guest may reach, opened and judged before it runs. */
export { type OpenedGrants, openGrants } from "./open";
export { type FileOption, parseFileOption } from "./parse";
export type { Access, DescriptorGrant, GrantRequest, PathGrant } from "./request";
export type { GrantSlot } from "./slot";
