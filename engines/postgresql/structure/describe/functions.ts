import type { Client } from 'pg';
import { notOfExtension, type CatalogObject } from './catalog';

/** Functions that a range type brings along are left out: the type makes them. */
const functionsSql = `
  SELECT 'pg_proc:' || p.oid AS id, 'function' AS kind, p.oid::regprocedure::text AS name,
         ARRAY[pg_get_functiondef(p.oid)] AS statements
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE n.nspname = ANY ($1::text[]) AND p.prokind <> 'a' AND ${notOfExtension('pg_proc', 'p.oid')}
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')`;

const routine = (keyword: string, column: string): string =>
  `CASE WHEN a.${column}::oid <> 0 THEN ', ${keyword} = ' || a.${column}::text ELSE '' END`;

const modify = (keyword: string, column: string): string =>
  `CASE a.${column} WHEN 'r' THEN ', ${keyword} = READ_ONLY' WHEN 's' THEN ', ${keyword} = SHAREABLE' ELSE ', ${keyword} = READ_WRITE' END`;

const aggregatesSql = `
  SELECT 'pg_proc:' || p.oid AS id, 'function' AS kind, p.oid::regprocedure::text AS name,
         ARRAY[format('CREATE AGGREGATE %I.%I(%s) (SFUNC = %s, STYPE = %s', n.nspname, p.proname,
             coalesce(nullif(pg_get_function_arguments(p.oid), ''), '*'), a.aggtransfn, format_type(a.aggtranstype, NULL))
           || CASE WHEN a.aggtransspace <> 0 THEN ', SSPACE = ' || a.aggtransspace ELSE '' END
           || CASE WHEN a.aggfinalfn::oid <> 0 THEN ', FINALFUNC = ' || a.aggfinalfn::text || ${modify('FINALFUNC_MODIFY', 'aggfinalmodify')} ELSE '' END
           || CASE WHEN a.aggfinalextra THEN ', FINALFUNC_EXTRA' ELSE '' END
           || ${routine('COMBINEFUNC', 'aggcombinefn')} || ${routine('SERIALFUNC', 'aggserialfn')} || ${routine('DESERIALFUNC', 'aggdeserialfn')}
           || coalesce(', INITCOND = ' || quote_literal(a.agginitval), '')
           || CASE WHEN a.aggmtransfn::oid <> 0 THEN ', MSTYPE = ' || format_type(a.aggmtranstype, NULL) ELSE '' END
           || ${routine('MSFUNC', 'aggmtransfn')} || ${routine('MINVFUNC', 'aggminvtransfn')}
           || CASE WHEN a.aggmtransspace <> 0 THEN ', MSSPACE = ' || a.aggmtransspace ELSE '' END
           || CASE WHEN a.aggmfinalfn::oid <> 0 THEN ', MFINALFUNC = ' || a.aggmfinalfn::text || ${modify('MFINALFUNC_MODIFY', 'aggmfinalmodify')} ELSE '' END
           || CASE WHEN a.aggmfinalextra THEN ', MFINALFUNC_EXTRA' ELSE '' END
           || coalesce(', MINITCOND = ' || quote_literal(a.aggminitval), '')
           || CASE WHEN a.aggsortop <> 0 THEN
                (SELECT format(', SORTOP = OPERATOR(%I.%s)', opn.nspname, op.oprname)
                   FROM pg_operator op JOIN pg_namespace opn ON opn.oid = op.oprnamespace WHERE op.oid = a.aggsortop) ELSE '' END
           || CASE WHEN a.aggkind = 'h' THEN ', HYPOTHETICAL' ELSE '' END
           || CASE p.proparallel WHEN 's' THEN ', PARALLEL = SAFE' WHEN 'r' THEN ', PARALLEL = RESTRICTED' ELSE '' END
           || ')'] AS statements
    FROM pg_aggregate a
    JOIN pg_proc p ON p.oid = a.aggfnoid
    JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE n.nspname = ANY ($1::text[]) AND ${notOfExtension('pg_proc', 'p.oid')}`;

/** Functions, procedures, window functions and aggregates. */
export async function readFunctions(client: Client, schemas: readonly string[]): Promise<readonly CatalogObject[]> {
  const functions = await client.query<CatalogObject>(functionsSql, [schemas]);
  const aggregates = await client.query<CatalogObject>(aggregatesSql, [schemas]);
  return [...functions.rows, ...aggregates.rows];
}
