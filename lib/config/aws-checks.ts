import type { CheckedParts, Cluster } from './checked-parts';
import type { Path, Problem } from './problem';

/** A parameter of Systems Manager holds no more. The quarantine group's id may be added to what the file says. */
const maxSettingsBytes = 8_192 - 64;

/** What a launch, a stop, a probe or a DNS record needs to know. Processes on a laptop have none of it. */
export function checkOnAws(path: Path, cluster: Cluster, parts: CheckedParts): readonly Problem[] {
  if (Object.values(cluster.nodes).every((node) => isLoopback(node.host))) {
    return [];
  }
  return [
    ...checkNames(path, cluster),
    ...checkHosts(path, cluster, parts.zoneName),
    ...(parts.workflows['node-recovery'] ? checkLaunch(path, cluster, parts) : []),
    ...checkSize(path, cluster),
  ];
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host) || host.endsWith('.localhost');
}

/** Names end up in ARNs: one that does not fit would name something else, or everything. */
function checkNames(path: Path, cluster: Cluster): readonly Problem[] {
  const problems: Problem[] = [
    ...checkId([...path, 'launchTemplate'], cluster.launchTemplate, 'lt'),
    ...checkId([...path, 'quarantineGroup'], cluster.quarantineGroup, 'sg'),
  ];
  if (!/^[\w/+=.@-]{1,512}$/.test(cluster.secret)) {
    problems.push({
      path: [...path, 'secret'],
      message: `'${cluster.secret}' does not fit; use the name of a secret, not its ARN: letters, digits and /_+=.@-`,
    });
  }
  for (const [site, { subnetId }] of Object.entries(cluster.sites)) {
    problems.push(...checkId([...path, 'sites', site, 'subnetId'], subnetId, 'subnet'));
    if (!/^[A-Za-z0-9_-]{1,40}$/.test(site)) {
      problems.push({
        path: [...path, 'sites', site],
        atKey: true,
        message: `'${site}' can't be the name of a site; use 1 to 40 letters, digits, _ and -`,
      });
    }
  }
  for (const [id, { machine }] of Object.entries(cluster.nodes)) {
    if (machine.kind === 'ec2') {
      problems.push(...checkId([...path, 'nodes', id, 'machine', 'instanceId'], machine.instanceId, 'i'));
    } else if (!/^[a-z](-?[a-z0-9]){0,62}$/.test(machine.instanceIdentifier)) {
      problems.push({
        path: [...path, 'nodes', id, 'machine', 'instanceIdentifier'],
        message: `'${machine.instanceIdentifier}' does not fit; use the identifier of an RDS instance, such as orders-1`,
      });
    }
  }
  return problems;
}

/** A replacement gets a record beside the node's own, and so both must be in the zone. */
function checkHosts(path: Path, cluster: Cluster, zoneName: string | null): readonly Problem[] {
  return Object.entries(cluster.nodes).flatMap(([id, { host }]) =>
    zoneName === null || (/^[a-z0-9.-]+$/.test(host) && host.endsWith(`.${zoneName}`))
      ? []
      : [
          {
            path: [...path, 'nodes', id, 'host'],
            message: `'${host}' is not in the zone '${zoneName}', where its replacement gets its record; use a name such as ${id}.${zoneName}`,
          },
        ],
  );
}

function checkLaunch(path: Path, cluster: Cluster, parts: CheckedParts): readonly Problem[] {
  if (Object.values(cluster.nodes).every(({ machine }) => machine.kind !== 'ec2')) {
    return [];
  }
  const problems: Problem[] = [];
  if (cluster.launchTemplate === undefined) {
    problems.push({
      path: [...path, 'launchTemplate'],
      message: 'is missing; a cluster with EC2 nodes needs the launch template of their replacements',
    });
  }
  if (parts.nodeRole === undefined) {
    problems.push({
      path: ['nodeRole'],
      message: 'is missing; clusters with EC2 nodes need the role of their instance profile, which a launch passes on',
    });
  }
  return problems;
}

function checkSize(path: Path, cluster: Cluster): readonly Problem[] {
  const bytes = Buffer.byteLength(JSON.stringify(cluster));
  return bytes <= maxSettingsBytes
    ? []
    : [
        {
          path,
          atKey: true,
          message: `its settings have ${bytes} bytes, and a parameter of Systems Manager holds ${maxSettingsBytes}; make two clusters of it`,
        },
      ];
}

function checkId(path: Path, given: string | undefined, prefix: string): readonly Problem[] {
  if (given === undefined || new RegExp(`^${prefix}-[0-9a-f]{8,17}$`).test(given)) {
    return [];
  }
  return [{ path, message: `'${given}' does not fit; use an id such as ${prefix}-0123456789abcdef0` }];
}
