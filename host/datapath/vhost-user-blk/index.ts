/** The data path over a vhost-user-blk daemon: plan it on the embedder's thread, serve it on the guest's. */
export { vhostUserCalls } from "./calls";
export { describeDaemon } from "./describe";
export type { DaemonDescription } from "./description";
export { closeRemains, planVhostUser, type VhostUserPlan, type VhostUserRequest } from "./plan";
export { VhostUserService, type VhostUserServiceOptions } from "./service";
