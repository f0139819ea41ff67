/** The tag with a node's id, on its machine, volumes and snapshots. */
export const nodeTag = 'rejoin:node';

/** The tag with the client token of a snapshot's order: what EC2 has no parameter for. */
export const tokenTag = 'rejoin:token';

/** The tag with the name of a machine's site, as in rejoin.yaml. A machine without it is said to be in its Availability Zone. */
export const siteTag = 'rejoin:site';
