import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { ChangeResourceRecordSetsCommand, InvalidChangeBatch, Route53Client } from '@aws-sdk/client-route-53';
import { GetExecutionHistoryCommand, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { mockClient } from 'aws-sdk-client-mock';
import fc from 'fast-check';
import { BriefCache } from '../../adapters/aws/brief-cache';
import { Route53Dns } from '../../adapters/aws/dns';
import { fromTextValue, toTextValue } from '../../adapters/aws/dns-text';
import { EventBridgeEvents } from '../../adapters/aws/events';
import { StepFunctionsExecutions } from '../../adapters/aws/executions';
import { systemClock } from '../../adapters/system-clock';
import { expectError } from '../contract/expect-error';

const region = 'eu-central-1';
const nowMs = 1_790_000_000_000;
const clock = { ...systemClock, nowMs: () => nowMs };

describe('events', () => {
  const bridge = mockClient(EventBridgeClient);
  const events = new EventBridgeEvents(new EventBridgeClient({ region }), 'rejoin');
  const event = { type: 'ShardsPromoted', cluster: 'orders', detail: { nodeId: 'node-3' } } as const;

  test.each([
    ['ThrottlingException', 'ApiThrottled'],
    ['InternalFailure', 'ApiThrottled'],
    ['MalformedDetail', 'ApiRefused'],
  ] as const)('that the bus did not take for %s are errors', async (ErrorCode, name) => {
    bridge.on(PutEventsCommand).resolves({ FailedEntryCount: 1, Entries: [{ ErrorCode, ErrorMessage: 'no' }] });
    await expectError(events.publish(event), name, 'ShardsPromoted', ErrorCode);
  });

  test('say where they come from, what they are and of which cluster', async () => {
    bridge.reset();
    bridge.on(PutEventsCommand).resolves({ FailedEntryCount: 0, Entries: [{ EventId: '1' }] });
    await events.publish(event);
    const entry = bridge.commandCalls(PutEventsCommand)[0]?.args[0].input.Entries?.[0];
    expect(entry).toMatchObject({ Source: 'rejoin', DetailType: 'ShardsPromoted', EventBusName: 'rejoin' });
    expect(JSON.parse(entry?.Detail ?? '')).toEqual({ cluster: 'orders', nodeId: 'node-3' });
  });
});

describe('DNS', () => {
  const route53 = mockClient(Route53Client);
  const dns = new Route53Dns(new Route53Client({ region }), 'Z1');
  const record = { name: 'node-1.example.com', type: 'A', ttlSeconds: 5, values: ['10.0.0.1'] } as const;

  test.each([
    [
      "[Tried to create resource record set [name='node-1.example.com.', type='A'] but it already exists]",
      'ConditionFailed',
    ],
    ["[Tried to delete resource record set [name='x.', type='A'] but it was not found]", 'ConditionFailed'],
    [
      "[Tried to delete resource record set [name='x.', type='A'] but the values provided do not match the current values]",
      'ConditionFailed',
    ],
    [
      '[RRSet of type CNAME with DNS name x. is not permitted as it conflicts with other records with the same DNS name in zone y.]',
      'ConditionFailed',
    ],
    [
      "[Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with 'x'']",
      'ApiRefused',
    ],
  ] as const)('a batch that Route 53 answers with %s is %s', async (said, name) => {
    route53
      .on(ChangeResourceRecordSetsCommand)
      .rejects(new InvalidChangeBatch({ message: '', messages: [said], $metadata: { httpStatusCode: 400 } }));
    await expectError(dns.change([{ action: 'create', record }]), name, record.name, said);
  });

  test('a batch that comes before the last one is done may be tried again', async () => {
    const wait = Object.assign(new Error('wait'), {
      name: 'PriorRequestNotComplete',
      $metadata: { httpStatusCode: 400 },
    });
    route53.on(ChangeResourceRecordSetsCommand).rejects(wait);
    await expectError(dns.change([{ action: 'create', record }]), 'ApiThrottled', record.name);
  });

  test('every text comes back from its value, which is printable ASCII in strings of at most 255 bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 700 }), (text) => {
        const value = toTextValue(text);
        expect(fromTextValue(value)).toBe(text);
        expect(value).toMatch(/^[ -~]*$/);
      }),
    );
    expect(toTextValue('x'.repeat(300))).toBe(`"${'x'.repeat(255)}" "${'x'.repeat(45)}"`);
  });
});

describe('executions', () => {
  const sfn = mockClient(SFNClient);
  const executions = new StepFunctionsExecutions(
    new SFNClient({ region }),
    'arn:aws:states:r:1:stateMachine:rejoin-',
    clock,
  );
  const order = { machine: 'node-recovery', name: 'one', input: {} };
  const executionArn = 'arn:aws:states:r:1:execution:rejoin-node-recovery:one';

  test('are the same one while it runs: its start lies before the call', async () => {
    sfn.on(StartExecutionCommand).resolves({ executionArn, startDate: new Date(nowMs - 60_000) });
    expect(await executions.start(order)).toEqual({ arn: executionArn, started: false });
    sfn.on(StartExecutionCommand).resolves({ executionArn, startDate: new Date(nowMs + 20) });
    expect(await executions.start(order)).toEqual({ arn: executionArn, started: true });
  });

  test('have their name taken after their end', async () => {
    const taken = Object.assign(new Error('taken'), { name: 'ExecutionAlreadyExists', $metadata: {} });
    sfn.on(StartExecutionCommand).rejects(taken);
    expect(await executions.start(order)).toEqual({ arn: executionArn, started: false });
  });

  test('tell their visits from all pages of their history', async () => {
    const at = (second: number): Date => new Date(nowMs + second * 1_000);
    sfn
      .on(GetExecutionHistoryCommand)
      .resolvesOnce({
        events: [
          { id: 1, previousEventId: 0, type: 'ExecutionStarted', timestamp: at(0) },
          {
            id: 2,
            previousEventId: 1,
            type: 'TaskStateEntered',
            timestamp: at(1),
            stateEnteredEventDetails: { name: 'Fence' },
          },
        ],
        nextToken: 'more',
      })
      .resolvesOnce({
        events: [
          {
            id: 3,
            previousEventId: 2,
            type: 'TaskStateExited',
            timestamp: at(4),
            stateExitedEventDetails: { name: 'Fence' },
          },
          {
            id: 4,
            previousEventId: 3,
            type: 'TaskStateEntered',
            timestamp: at(4),
            stateEnteredEventDetails: { name: 'Launch' },
          },
        ],
      });
    expect(await executions.visits('node-recovery', 'one')).toEqual([
      { state: 'Fence', enteredAtMs: nowMs + 1_000, exitedAtMs: nowMs + 4_000 },
      { state: 'Launch', enteredAtMs: nowMs + 4_000, exitedAtMs: null },
    ]);
    const tokens = sfn.commandCalls(GetExecutionHistoryCommand).map(({ args }) => args[0].input.nextToken);
    expect(tokens).toEqual([undefined, 'more']);
  });
});

describe('what is kept briefly', () => {
  test('is fetched once while it is fresh, and anew after that', async () => {
    let atMs = 0;
    let fetched = 0;
    const cache = new BriefCache<number>({ ...systemClock, nowMs: () => atMs }, 1_000);
    const get = () => cache.get('a', () => Promise.resolve((fetched += 1)));
    expect(await Promise.all([get(), get()])).toEqual([1, 1]);
    atMs = 999;
    expect(await get()).toBe(1);
    atMs = 1_000;
    expect(await get()).toBe(2);
  });

  test('is never a failure', async () => {
    const cache = new BriefCache<number>(systemClock, 60_000);
    await expect(cache.get('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(cache.get('a', () => Promise.resolve(1))).resolves.toBe(1);
  });
});
