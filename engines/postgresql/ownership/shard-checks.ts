import { shardLock } from '../../../core/cluster/names';
import { identifier, literal, qualified } from '../identifier';

/** What the triggers refuse a statement or a commit with. */
export const refusalStates = { notPrimary: 'RJ001', staleEpoch: 'RJ002', notDurable: 'RJ004' } as const;

export const statementCheckName = 'rejoin_write_check';
export const commitCheckName = 'rejoin_durability_check';

/**
 * The write check. It reads the shard's row after it has the lock, because whoever closes the shard holds the lock
 * alone until the closing is committed. Under READ COMMITTED each statement of a volatile function sees what is
 * committed by then. A transaction with one snapshot for all would still see the shard open; locking the row makes it
 * fail with 40001 when the row has changed since that snapshot. Runs as its owner, so that applications need no right
 * on Rejoin's tables.
 */
const checkWrite = `
CREATE OR REPLACE FUNCTION rejoin.check_write() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
  expected text := current_setting('rejoin.epoch', true);
  current_epoch bigint;
  open_here boolean;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(TG_ARGV[1]::integer, TG_ARGV[2]::integer);
  IF current_setting('transaction_isolation') IN ('read committed', 'read uncommitted') THEN
    SELECT s.epoch, s.writable INTO current_epoch, open_here FROM rejoin.shard s WHERE s.shard = TG_ARGV[0];
  ELSE
    SELECT s.epoch, s.writable INTO current_epoch, open_here FROM rejoin.shard s WHERE s.shard = TG_ARGV[0] FOR SHARE;
  END IF;
  IF open_here IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = '${refusalStates.notPrimary}', MESSAGE = format('not primary: %s is not written on this node', TG_ARGV[0]),
      HINT = 'Read the shard map again and write to the shard''s primary.';
  END IF;
  IF expected <> '' AND expected <> current_epoch::text THEN
    RAISE EXCEPTION USING ERRCODE = '${refusalStates.staleEpoch}', MESSAGE = format('stale epoch: %s is at epoch %s, this session expects %s', TG_ARGV[0], current_epoch, expected),
      HINT = 'Read the shard map again and set rejoin.epoch to its epoch.';
  END IF;
  IF current_setting('synchronous_commit') IN ('off', 'local') AND NOT pg_has_role(session_user, current_user, 'MEMBER') THEN
    RAISE EXCEPTION USING ERRCODE = '${refusalStates.notDurable}', MESSAGE = format('not durable: synchronous_commit is %s, so the follower of %s would not confirm this write', current_setting('synchronous_commit'), TG_ARGV[0]),
      HINT = 'Set synchronous_commit to on, remote_write or remote_apply.';
  END IF;
  RETURN NULL;
END
$function$`;

/**
 * The durability check at commit: a transaction may change \`synchronous_commit\` after its last statement. Runs once a
 * row, so it reads no table and changes no setting; operators are named with their schema because it runs under the
 * session's own search path.
 */
const checkCommit = `
CREATE OR REPLACE FUNCTION rejoin.check_commit() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $function$
BEGIN
  IF pg_catalog.current_setting('synchronous_commit') OPERATOR(pg_catalog.=) ANY (ARRAY['off', 'local'])
     AND NOT pg_catalog.pg_has_role(session_user, TG_ARGV[1]::pg_catalog.name, 'MEMBER') THEN
    RAISE EXCEPTION USING ERRCODE = '${refusalStates.notDurable}', MESSAGE = pg_catalog.format('not durable: synchronous_commit is %s at commit, so the follower of %s would not confirm it', pg_catalog.current_setting('synchronous_commit'), TG_ARGV[0]),
      HINT = 'Set synchronous_commit to on, remote_write or remote_apply.';
  END IF;
  RETURN NULL;
END
$function$`;

/** The functions behind the triggers; creating them again changes nothing. */
export const checkFunctions: readonly string[] = [checkWrite, checkCommit];

/** The arguments of a shard's statement trigger: shard and lock. */
export function statementCheckArguments(shard: string): readonly string[] {
  return [shard, ...shardLock(shard).map(String)];
}

/** The statement trigger of one table. Plain (ORIGIN): replication workers don't fire it. */
export function createStatementCheck(shard: string, schema: string, table: string): string {
  return `CREATE TRIGGER ${identifier(statementCheckName)} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${qualified(schema, table)}
    FOR EACH STATEMENT EXECUTE FUNCTION rejoin.check_write(${statementCheckArguments(shard).map(literal).join(', ')})`;
}

/** The commit trigger of one table that holds rows. `administrator`: the role whose members may commit locally. */
export function createCommitCheck(shard: string, administrator: string, schema: string, table: string): string {
  return `CREATE CONSTRAINT TRIGGER ${identifier(commitCheckName)} AFTER INSERT OR UPDATE OR DELETE ON ${qualified(schema, table)}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION rejoin.check_commit(${literal(shard)}, ${literal(administrator)})`;
}
