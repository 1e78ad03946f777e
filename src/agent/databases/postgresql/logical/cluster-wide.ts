import type pg from 'pg';
import { asOurselves, schema } from './names.js';

/** Ours, of which every cluster has its own. */
const isOwn = (role: string) => `${role} ~ '^(godwit(_writer|_reader|_follow_.*)?|pg_.*)$'`;

/**
 * What belongs to all of a cluster, and can be changed while a database is being moved: no trigger
 * tells of it. Roles, who is a member of whom, what is set for roles and databases, comments on
 * them. For a superuser.
 */
export const clusterWideQuery = `
  SELECT 'role', jsonb_build_array(rolname),
         jsonb_build_object('rolinherit', rolinherit, 'rolcreaterole', rolcreaterole, 'rolcreatedb', rolcreatedb,
           'rolcanlogin', rolcanlogin, 'rolbypassrls', rolbypassrls, 'rolconnlimit', rolconnlimit,
           'rolpassword', rolpassword, 'rolvaliduntil', rolvaliduntil::text)
    FROM pg_authid WHERE NOT ${isOwn('rolname')}
  UNION ALL
  SELECT 'member', jsonb_build_array(r.rolname, m.rolname), to_jsonb(bool_or(admin_option))
    FROM pg_auth_members JOIN pg_authid r ON r.oid = roleid JOIN pg_authid m ON m.oid = member
   WHERE NOT ${isOwn('m.rolname')} GROUP BY r.rolname, m.rolname
  UNION ALL
  SELECT 'setting', jsonb_build_array(datname, rolname), to_jsonb(setconfig)
    FROM pg_db_role_setting LEFT JOIN pg_database d ON d.oid = setdatabase LEFT JOIN pg_authid r ON r.oid = setrole
   WHERE rolname IS NULL OR NOT ${isOwn('rolname')}
  UNION ALL
  SELECT 'role comment', jsonb_build_array(rolname), to_jsonb(shobj_description(oid, 'pg_authid'))
    FROM pg_authid WHERE NOT ${isOwn('rolname')} AND shobj_description(oid, 'pg_authid') IS NOT NULL
  UNION ALL
  SELECT 'database comment', jsonb_build_array(datname), to_jsonb(shobj_description(oid, 'pg_database'))
    FROM pg_database WHERE shobj_description(oid, 'pg_database') IS NOT NULL`;

interface Change {
  readonly kind: 'role' | 'member' | 'setting' | 'role comment' | 'database comment';
  /** Whom it is about: a role, a role and its member, or a database and a role, either of which may be any. */
  readonly name: readonly [string | null, (string | null)?];
  /** As JSON; null when it is no longer there. */
  readonly value: string | null;
  /** As text, where it is one. */
  readonly text: string | null;
}

/** Makes of a follower's cluster what has been changed in its primary's since that was to be followed. */
export async function carryClusterWide(primary: pg.Client, follower: pg.Client): Promise<void> {
  await asOurselves(follower);
  const { rows } = await primary.query<Change>(
    `SELECT kind, name, n.value::text AS value, n.value #>> '{}' AS text
       FROM ${schema}.cluster_wide_now() n FULL JOIN ${schema}.cluster_wide b USING (kind, name)
      WHERE n.value IS DISTINCT FROM b.value
      ORDER BY array_position('{role,member,setting,role comment,database comment}', kind)`,
  );
  for (const change of rows) {
    await make(follower, change);
    // Who has been a primary before has noted what it was then, which its followers need not have any more.
    await follower.query(
      `DELETE FROM ${schema}.cluster_wide WHERE kind = $1 AND name = $2::jsonb`,
      [change.kind, JSON.stringify(change.name)],
    );
  }
}

async function make(follower: pg.Client, { kind, name, value, text }: Change): Promise<void> {
  const [one, other] = [name[0] ?? null, name[1] ?? null];
  const quoted = (text: string | null) => follower.escapeIdentifier(text ?? '');
  if (kind === 'setting') {
    await follower.query(removeSettings, [one, other]);
    if (value !== null) await follower.query(addSettings, [one, other, value]);
  } else if (kind === 'member') {
    await follower.query(`REVOKE ${quoted(one)} FROM ${quoted(other)}`);
    const how = value === 'true' ? 'WITH ADMIN OPTION' : '';
    if (value !== null) await follower.query(`GRANT ${quoted(one)} TO ${quoted(other)} ${how}`);
  } else if (kind === 'role' && value === null) {
    await follower.query(`DROP ROLE IF EXISTS ${quoted(one)}`);
  } else if (kind === 'role') {
    const known = await follower.query('SELECT FROM pg_roles WHERE rolname = $1', [one]);
    if (known.rowCount === 0) await follower.query(`CREATE ROLE ${quoted(one)}`);
    await follower.query(changeRole, [one, value]);
  } else {
    const what = kind === 'role comment' ? 'ROLE' : 'DATABASE';
    const comment = text === null ? 'NULL' : follower.escapeLiteral(text);
    await follower.query(`COMMENT ON ${what} ${quoted(one)} IS ${comment}`);
  }
}

/** Passwords and settings are as the catalogue has them: statements would compute and quote them anew. */
const changeRole = `
  UPDATE pg_authid SET rolinherit = new.rolinherit, rolcreaterole = new.rolcreaterole, rolcreatedb = new.rolcreatedb,
         rolcanlogin = new.rolcanlogin, rolbypassrls = new.rolbypassrls, rolconnlimit = new.rolconnlimit,
         rolpassword = new.rolpassword, rolvaliduntil = new.rolvaliduntil
    FROM jsonb_to_record($2::jsonb) AS new (rolinherit bool, rolcreaterole bool, rolcreatedb bool, rolcanlogin bool,
           rolbypassrls bool, rolconnlimit int, rolpassword text, rolvaliduntil timestamptz)
   WHERE rolname = $1`;

const removeSettings = `
  DELETE FROM pg_db_role_setting
   WHERE setdatabase = CASE WHEN $1::text IS NULL THEN 0 ELSE (SELECT oid FROM pg_database WHERE datname = $1) END
     AND setrole = CASE WHEN $2::text IS NULL THEN 0 ELSE (SELECT oid FROM pg_roles WHERE rolname = $2) END`;

const addSettings = `
  INSERT INTO pg_db_role_setting
  SELECT CASE WHEN $1::text IS NULL THEN 0 ELSE (SELECT oid FROM pg_database WHERE datname = $1) END,
         CASE WHEN $2::text IS NULL THEN 0 ELSE (SELECT oid FROM pg_roles WHERE rolname = $2) END,
         ARRAY(SELECT jsonb_array_elements_text($3::jsonb))`;
