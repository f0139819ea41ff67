import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ClusterRegistry } from '../../../core/cluster/cluster-registry';
import { shardNumber } from '../../../core/cluster/names';
import type { NodeItem } from '../../../core/cluster/items';
import { evidenceSchema, evidenceKey, type Check, type Evidence } from '../../../core/evidence/evidence';
import { isRejoinError, RejoinError } from '../../../core/errors';
import type { JsonObject } from '../../../core/json';
import { blackoutMs, latencyBetween, longestGapMs } from '../../load/figures';
import { DiskWatch } from '../../disk-watch';
import { type LoadOrder, LoadProcess, type LoadReport } from '../../load/load-process';
import type { RehearsalReport } from '../report';
import { phases } from '../report';
import type { Execution, ExecutionResult } from '../../states/execution';
import { aborted } from '../aborted';
import { executionsSince, fireSchedule, nextExecution } from '../deployed';
import type { RehearsalOptions } from '../scenario';
import type { Aftermath } from './aftermath';
import { checkAftermath } from './checks';
import type { CheckedServer } from './content';
import type { FaultContext, NodeFault } from './fault';
import { faultChecks } from './fault-checks';
import { faults } from './faults';
import { countMissedRows } from './missed-rows';
import { partsOfBlackout, promotionsIn, rowsRestored, timingsOf } from './milestones';
import { clusterName, rehearsalsDirectory, startWorld, zoneName, type World } from './world';

const machine = 'node-recovery';
const warmUpMs = 6_000;
const coolDownMs = 4_000;
const recoveryLimitMs = 15 * 60_000;

/** One rehearsal of node recovery, from empty servers to the checked aftermath. */
export async function rehearseNodeRecovery(
  options: RehearsalOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<RehearsalReport> {
  const disks = new DiskWatch();
  const asked = AbortSignal.any([signal, disks.signal]);
  try {
    return await rehearseWatched(options, say, { asked, disks });
  } catch (thrown) {
    throw signal.aborted ? thrown : await disks.explain(thrown);
  } finally {
    disks.close();
  }
}

async function rehearseWatched(
  options: RehearsalOptions,
  say: (line: string) => void,
  { asked, disks }: { readonly asked: AbortSignal; readonly disks: DiskWatch },
): Promise<RehearsalReport> {
  const world = await startWorld(options, say, { signal: asked, disks });
  const ended = new AbortController();
  let keep = options.keep;
  try {
    return await Promise.race([rehearse(world, options, say, asked), aborted(asked, ended.signal)]);
  } catch (thrown) {
    // What went wrong is in the logs of this run; a full disk is not helped by them.
    keep ||= !asked.aborted && !isRejoinError(await disks.explain(thrown), 'NoDiskSpace');
    throw thrown;
  } finally {
    ended.abort();
    await world.close(keep);
  }
}

async function rehearse(
  world: World,
  options: RehearsalOptions,
  say: (line: string) => void,
  asked: AbortSignal,
): Promise<RehearsalReport> {
  const sharded = world.settings.layout === 'sharded';
  if (sharded) {
    say('takes a full backup');
    await finished(world, await fireSchedule(world.cloud, 'full-backup', clusterName), say);
  }
  say(`starts a load of ${options.requestsPerSecond} requests a second`);
  const load = await startLoad(world, options, asked);
  try {
    await delay(warmUpMs);
    if (sharded) {
      await finished(world, await fireSchedule(world.cloud, 'change-backup', clusterName), say);
      await delay(warmUpMs);
    }
    const fault = faultNamed(options.fault);
    const victim = (fault.victim ?? world.data.victim)(world.nodes, options.seed);
    if (victim === undefined) {
      throw new RejoinError('InvalidInput', 'a rehearsal needs nodes');
    }
    const before = await new ClusterRegistry(world.cloud.registry).shards(clusterName);
    const extra: Check[] = [];
    const mayLackAfterMs = new Map<string, number>();
    const context: FaultContext = {
      world,
      victim,
      seed: options.seed,
      say,
      check: (made) => {
        extra.push(made);
      },
      mayLack: (shard, afterMs) => {
        mayLackAfterMs.set(shard, afterMs);
      },
    };
    if (fault.hasSnapshot !== false && (await takeSnapshot(world, victim, say))) {
      // What is written from now on is not in it.
      await delay(warmUpMs);
    }
    const killedAtMs = Date.now();
    await fault.begin(context);
    const during = async (execution: string): Promise<void> => {
      await Promise.all([
        fault.during?.(context, execution),
        options.ablate.includes('passes') ? countMissedRows(context) : null,
      ]);
    };
    const first = await awaitRecovery(world, killedAtMs, during, say);
    const next = await fault.followUp?.(context);
    if (next !== undefined) {
      await watch(world, next, say);
    }
    const recovery = next ?? first;
    await fault.after?.(context);
    await delay(coolDownMs);
    const report = await load.stop();
    const lostPrimaries = before.filter((shard) => shard.primary === victim.id).map((shard) => shardNumber(shard.id));
    return await tell(world, options, { report, recovery, killedAtMs, lostPrimaries, extra, mayLackAfterMs });
  } finally {
    load.kill();
  }
}

/** Takes the snapshot that a node will be restored from, where nodes are restored from one. @returns whether it did */
async function takeSnapshot(world: World, victim: NodeItem, say: (line: string) => void): Promise<boolean> {
  if (victim.machineKind === 'rds') {
    say(`takes a snapshot of ${victim.id}`);
    await world.managed.takeSnapshot(victim.machineId);
    return true;
  }
  const standby =
    world.settings.layout === 'replicated' ? world.nodes.findLast(({ id }) => id !== victim.id) : undefined;
  if (standby === undefined) {
    return false;
  }
  say(`takes a snapshot of the volume of ${standby.id}`);
  await world.machines.snapshot(standby.machineId);
  return true;
}

interface Happened {
  readonly report: LoadReport;
  readonly recovery: Execution;
  readonly killedAtMs: number;
  readonly lostPrimaries: readonly number[];
  readonly extra: readonly Check[];
  readonly mayLackAfterMs: ReadonlyMap<string, number>;
}

async function startLoad(world: World, options: RehearsalOptions, stop: AbortSignal): Promise<LoadProcess> {
  const order: LoadOrder = {
    controlUrl: world.control.url,
    controlToken: world.control.token,
    dnsServer: { host: world.dnsServer.host, port: world.dnsServer.port },
    zone: zoneName,
    cluster: clusterName,
    localAddress: await world.room.outsideAddress(),
    database: world.settings.database,
    user: world.application.username,
    password: world.application.password,
    data: world.data.load(),
    requestsPerSecond: options.requestsPerSecond,
    seed: options.seed,
    reportFile: join(world.directory, 'load.json'),
  };
  return LoadProcess.start(order, stop);
}

/** Waits until an execution has ended and ended well. @throws ApiRefused with its reason */
async function finished(world: World, execution: Execution, say: (line: string) => void): Promise<void> {
  const { status, error, cause } = await watch(world, execution, say);
  if (status !== 'SUCCEEDED') {
    throw new RejoinError('ApiRefused', `${execution.name} ended as ${status}: ${error ?? ''} ${cause ?? ''}`);
  }
}

/** Waits for the recovery that somebody else starts, and until it has ended. */
async function awaitRecovery(
  world: World,
  sinceMs: number,
  during: (execution: string) => Promise<void>,
  say: (line: string) => void,
): Promise<Execution> {
  const first = await nextExecution(world.cloud, machine, sinceMs);
  const [recovery] = await Promise.all([watchAll(world, first, sinceMs, say), during(first.name)]);
  return recovery;
}

/** Several agents and alarms may have started one each; one of them does the work, and it counts. */
async function watchAll(
  world: World,
  first: Execution,
  sinceMs: number,
  say: (line: string) => void,
): Promise<Execution> {
  for (let next: Execution | undefined = first; next !== undefined;) {
    await watch(world, next, say);
    next = executionsSince(world.cloud, machine, sinceMs).find(({ status }) => status === 'RUNNING');
  }
  for (const execution of executionsSince(world.cloud, machine, sinceMs)) {
    if ((await readEvidence(world, execution.name))?.outcome !== 'no action needed') {
      return execution;
    }
  }
  return first;
}

function faultNamed(name: string): NodeFault {
  const found = faults.find((fault) => fault.name === name);
  if (found === undefined) {
    throw new RejoinError('InvalidInput', `there is no fault '${name}'`);
  }
  return found;
}

/** Tells each state as it is entered, until the execution has ended. */
async function watch(world: World, execution: Execution, say: (line: string) => void): Promise<ExecutionResult> {
  const told = new Set<string>();
  const tellNew = async (): Promise<void> => {
    const workflow = execution.stateMachineArn.split(':rejoin-').at(-1) ?? '';
    for (const visit of await world.cloud.executions.visits(workflow, execution.name)) {
      if (!told.has(visit.state)) {
        told.add(visit.state);
        say(`  ${workflow}: ${visit.state}`);
      }
    }
  };
  const limit = new AbortController();
  const ended = execution.finished.finally(() => {
    limit.abort();
  });
  for (const limitMs = Date.now() + recoveryLimitMs; execution.status === 'RUNNING';) {
    await delay(250, undefined, { signal: limit.signal }).catch(() => undefined);
    await tellNew();
    if (Date.now() > limitMs) {
      throw new RejoinError('ApiRefused', `'${execution.name}' did not end within ${recoveryLimitMs / 60_000} min`);
    }
  }
  await tellNew();
  return ended;
}

async function tell(world: World, options: RehearsalOptions, happened: Happened): Promise<RehearsalReport> {
  const { report, recovery, killedAtMs, lostPrimaries } = happened;
  const { answers } = report;
  const fault = faultNamed(options.fault);
  const endedAtMs = answers.at(-1)?.atMs ?? killedAtMs;
  const evidence = await readEvidence(world, recovery.name);
  const visits = await world.cloud.executions.visits(machine, recovery.name);
  const promotions = promotionsIn(await agentLogs(world), killedAtMs);
  const registry = new ClusterRegistry(world.cloud.registry);
  const [shards, nodes] = await Promise.all([registry.shards(clusterName), registry.nodes(clusterName)]);
  const replacement = nodes.find(
    (node) => node.state === 'serving' && !world.nodes.some((first) => first.id === node.id),
  );
  const servers: CheckedServer[] = nodes
    // A dead one, which a refusal leaves as it is, can be asked nothing.
    .filter((node) => node.state === 'serving' && world.room.machine(node.machineId).databaseRunning)
    .map((node) => ({
      nodeId: node.id,
      host: world.room.machine(node.machineId).facts.address,
      port: node.port,
      database: world.settings.database,
      administrator: world.administrator,
    }));
  const aftermath = await checkAftermath({
    shards,
    servers,
    data: world.data,
    application: world.application,
    standbys: world.settings.layout === 'replicated' ? world.nodes.length - 1 : null,
    records: report.records,
    mayBeLost: lossOf(world, evidence, happened),
    replacement: replacement?.id ?? null,
    whole: fault.whole,
    mayLackAfterMs: happened.mayLackAfterMs,
  });
  const timingsMs = timingsOf({ killedAtMs, promotions, answers, lostPrimaries, endedAtMs, visits });
  const restoredAtMs = killedAtMs + (timingsMs.joined ?? 0);
  const outcome = evidence?.outcome ?? 'failed';
  const reason = evidence?.reason ?? `the execution ended as ${recovery.status}`;
  const gapMs = longestGapMs(
    answers,
    shards.map((shard) => shardNumber(shard.id)),
    { fromMs: killedAtMs, toMs: endedAtMs },
  );
  return {
    scenario: machine,
    fault: options.fault,
    outcome,
    reason,
    timingsMs,
    passes: evidence?.passes ?? [],
    rows: { restored: rowsRestored(evidence), owned: aftermath.owned, outsideOwnership: aftermath.outside },
    checks: [
      ...faultChecks(fault, { outcome, reason, gapMs, figures: evidence?.figures ?? [] }),
      ...happened.extra,
      ...aftermath.checks,
    ],
    load: {
      acknowledged: answers.length,
      failed: report.failed,
      refused: report.refused,
      ...phases(
        latencyBetween(answers, 0, killedAtMs),
        latencyBetween(answers, killedAtMs, restoredAtMs),
        latencyBetween(answers, restoredAtMs, Number.POSITIVE_INFINITY),
      ),
      blackoutMs: blackoutMs(answers, lostPrimaries, killedAtMs, endedAtMs),
      blackoutParts: partsOfBlackout(promotions, answers, killedAtMs),
    },
    evidencePath: evidence === null ? null : await keepEvidence(world, evidence, options),
    notes: [...world.data.notes(), ...report.notes, ...refusalNotes(report)],
    seed: options.seed,
  };
}

function refusalNotes({ refusals }: LoadReport): readonly string[] {
  return refusals.slice(0, 10).map(([reason, count]) => `${count} times refused by the data: ${reason}`);
}

/** From when until when acknowledged writes may be lost, as the evidence says it: nothing else is accepted. */
function lossOf(world: World, evidence: Evidence | null, { lostPrimaries }: Happened): Aftermath['mayBeLost'] {
  const seconds = evidence?.recoveryPointSeconds ?? null;
  const toMs = evidence?.fences.find(({ of }) => of === evidence.subject)?.fence.atMs;
  return world.settings.durability === 'synchronous' || seconds === null || toMs === undefined
    ? null
    : { shards: lostPrimaries, span: { fromMs: toMs - seconds * 1_000, toMs } };
}

async function readEvidence(world: World, execution: string): Promise<Evidence | null> {
  const key = evidenceKey(clusterName, { machine, execution }, 'json');
  return (await world.cloud.bucket('REJOIN_EVIDENCE_BUCKET').head(key)) === null
    ? null
    : evidenceSchema.parse(JSON.parse((await world.cloud.bucket('REJOIN_EVIDENCE_BUCKET').read(key)).toString()));
}

/** The evidence outlives the run's directory: it is what a rehearsal is for. */
async function keepEvidence(world: World, evidence: Evidence, options: RehearsalOptions): Promise<string> {
  const folder = join(rehearsalsDirectory(options), 'evidence', evidence.execution);
  await mkdir(folder, { recursive: true });
  for (const ending of ['json', 'html'] as const) {
    await writeFile(
      join(folder, `evidence.${ending}`),
      await world.cloud.bucket('REJOIN_EVIDENCE_BUCKET').read(evidenceKey(clusterName, evidence, ending)),
    );
  }
  return join(folder, 'evidence.html');
}

/** What the agents of the first nodes wrote; that of a machine that was retired is gone with it. */
async function agentLogs(world: World): Promise<readonly JsonObject[]> {
  const texts = await Promise.all(world.agentLogFiles.map((file) => readFile(file, 'utf8').catch(() => '')));
  return texts.flatMap((text) =>
    text
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as JsonObject),
  );
}
