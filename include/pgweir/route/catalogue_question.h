#pragma once

namespace pgweir::route {

/// Asks PostgreSQL for the rows of a Catalogue; needs search_path = pg_catalog. Takes locks of
/// system tables only, so no migration waits for it, nor it for one.
/// See: catalog-pg-proc.html, catalog-pg-rewrite.html, catalog-pg-policy.html,
/// catalog-pg-amproc.html
///
/// One row for each fact: what it is about, its number, its schema and name, flags, and the number
/// of what it uses. Flags: v may write, i immutable, e of an extension, . callable as t.f, t of a
/// tainted type; of relations also kind and persistence; of types a: against all reads.
/// "serializable" are roles, or "" for all of them, whose transactions are by default: no standby
/// can be.
///
/// Casts, checks of domains and comparisons happen without a sign in the text. One that may write
/// taints the type of the users' that it is of, and what is made of it: whatever has a value of
/// that type got it from a column, a function, an operator or a cast, and these are named. Without
/// such a type it is against all reads. PostgreSQL's own functions count as writers there, unless
/// they are immutable.
///
/// What a view or policy calls stands in its rule by number, whatever it is called by: no name has
/// to be looked up and nothing has to be locked, as pg_get_viewdef() would. The last line is
/// kCatalogueRowsMax and one.
inline constexpr const char* kCatalogueQuestion = R"SQL(
WITH RECURSIVE calls AS (
    SELECT p.*, provolatile = 'i' AS is_immutable,
           CASE WHEN prokind = 'a' THEN
                   (SELECT bool_or(s.provolatile = 'v' OR s.oid < 16384 AND s.provolatile <> 'i')
                      FROM pg_aggregate a JOIN pg_proc s ON s.oid IN
                        (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,
                         a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn) WHERE a.aggfnoid = p.oid)
                ELSE provolatile = 'v' END AS is_volatile
      FROM pg_proc p
), risky AS (
    SELECT oid FROM calls WHERE is_volatile OR oid < 16384 AND NOT is_immutable
), operators AS (
    SELECT o.*, EXISTS (SELECT FROM risky r WHERE r.oid IN (o.oprcode, n.oprcode, c.oprcode)) AS is_risky
      FROM pg_operator o LEFT JOIN pg_operator n ON n.oid = o.oprnegate LEFT JOIN pg_operator c ON c.oid = o.oprcom
     WHERE o.oid >= 16384
), hidden AS (
    SELECT k.castsource AS one, k.casttarget AS other, k.castcontext <> 'e' AS is_silent
      FROM pg_cast k JOIN risky r ON r.oid = k.castfunc WHERE k.oid >= 16384
    UNION ALL
    SELECT oprleft, oprright, true FROM operators o
     WHERE is_risky AND (oprname IN ('<', '<=', '<>', '=', '>', '>=')
                         OR EXISTS (SELECT FROM pg_amop a WHERE a.amopopr = o.oid))
    UNION ALL
    SELECT a.amproclefttype, a.amprocrighttype, true
      FROM pg_amproc a JOIN risky r ON r.oid = a.amproc WHERE a.oid >= 16384
    UNION ALL
    SELECT k.contypid, k.contypid, true
      FROM pg_constraint k, regexp_matches(k.conbin::text, ':(?:func|opfunc)id (\d+)', 'g') AS found
           JOIN risky r ON r.oid = found[1]::oid
     WHERE k.contypid >= 16384
), made_of AS (
    SELECT oid AS type, typelem AS part FROM pg_type WHERE typelem >= 16384
    UNION ALL SELECT oid, typbasetype FROM pg_type WHERE typbasetype >= 16384
    UNION ALL SELECT rngtypid, rngsubtype FROM pg_range WHERE rngsubtype >= 16384
    UNION ALL SELECT (to_jsonb(r) ->> 'rngmultitypid')::oid, rngsubtype FROM pg_range r WHERE rngsubtype >= 16384
    UNION ALL SELECT c.reltype, a.atttypid FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
               WHERE a.atttypid >= 16384 AND c.reltype <> 0
), tainted AS (
    SELECT CASE WHEN other >= 16384 THEN other ELSE one END AS type FROM hidden
     WHERE one >= 16384 OR other >= 16384
    UNION
    SELECT m.type FROM tainted t JOIN made_of m ON m.part = t.type
), taint AS (
    SELECT coalesce(array_agg(type), '{}') AS types FROM tainted
), rules AS (
    SELECT r.ev_class AS relation, r.ev_action::text AS tree
      FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
     WHERE r.ev_type = '1' AND c.relkind = 'v'
    UNION ALL
    SELECT polrelid, polqual::text FROM pg_policy WHERE polcmd IN ('r', '*') AND polqual IS NOT NULL
), called AS (
    SELECT DISTINCT relation, found[1]::oid AS function
      FROM rules, regexp_matches(tree, ':(?:func|opfunc|aggfn|winfn)o?id (\d+)', 'g') AS found
    UNION
    SELECT relation, n.oprcode::oid
      FROM rules, regexp_matches(tree, ':opno (\d+)', 'g') AS found
           JOIN operators o ON o.oid = found[1]::oid JOIN pg_operator n ON n.oid IN (o.oprnegate, o.oprcom)
), facts (kind, id, schema, name, flags, used) AS (
    SELECT 'function', c.oid::int8, n.nspname::text, c.proname::text,
           CASE WHEN c.is_volatile THEN 'v' WHEN c.is_immutable THEN 'i' ELSE '' END
           || CASE WHEN EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                                   AND d.objid = c.oid AND d.deptype = 'e') THEN 'e' ELSE '' END
           || CASE WHEN c.pronargs > 0 AND c.pronargs - c.pronargdefaults <= 1 THEN '.' ELSE '' END
           || CASE WHEN c.prorettype = ANY (t.types) OR c.proargtypes::oid[] && t.types
                        OR c.proallargtypes && t.types THEN 't' ELSE '' END, 0::int8
      FROM calls c JOIN pg_namespace n ON n.oid = c.pronamespace CROSS JOIN taint t
     WHERE c.prokind <> 'p' AND c.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
    UNION ALL
    SELECT 'defaults', c.oid::int8, n.nspname, f.proname, CASE WHEN f.is_volatile THEN 'v' ELSE '' END, 0
      FROM calls c, regexp_matches(c.proargdefaults::text, ':(?:func|opfunc)id (\d+)', 'g') AS found
           JOIN calls f ON f.oid = found[1]::oid JOIN pg_namespace n ON n.oid = f.pronamespace
     WHERE c.oid >= 16384 AND c.pronargdefaults > 0 AND NOT f.is_immutable
    UNION ALL
    SELECT DISTINCT 'operator', 0, 'pg_catalog', oprname, '', 0 FROM pg_operator WHERE oid < 16384
    UNION ALL
    SELECT 'operator', o.oid::int8, n.nspname, o.oprname,
           CASE WHEN o.is_risky THEN 'v' ELSE '' END
           || CASE WHEN ARRAY[o.oprleft, o.oprright, o.oprresult] && t.types THEN 't' ELSE '' END, 0
      FROM operators o JOIN pg_namespace n ON n.oid = o.oprnamespace CROSS JOIN taint t
    UNION ALL
    SELECT 'type', h.one::int8, '', format_type(h.one, NULL), 'a', 0 FROM hidden h
     WHERE h.one < 16384 AND h.other < 16384 AND h.is_silent
    UNION ALL
    SELECT 'type', p.oid::int8, n.nspname, p.typname,
           CASE WHEN p.oid = ANY (t.types) THEN 't'
                WHEN EXISTS (SELECT FROM hidden h WHERE h.other = p.oid) THEN 'v' ELSE '' END, 0
      FROM pg_type p JOIN pg_namespace n ON n.oid = p.typnamespace LEFT JOIN pg_class c ON c.oid = p.typrelid
           CROSS JOIN taint t
           LEFT JOIN pg_type e ON e.oid = p.typelem
     WHERE p.typtype <> 'c' AND coalesce(e.typtype, '') <> 'c' OR c.relkind = 'c' OR p.oid = ANY (t.types)
    UNION ALL
    SELECT 'relation', c.oid::int8, n.nspname, c.relname,
           c.relkind::text || c.relpersistence::text
           || CASE WHEN c.oid IN (SELECT a.attrelid FROM pg_attribute a
                                   WHERE a.atttypid = ANY (ARRAY(SELECT type FROM tainted))) THEN 't' ELSE '' END, 0
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname <> 'pg_toast' AND c.relpersistence <> 't'
    UNION ALL
    SELECT DISTINCT 'uses', r.relation::int8, '', '', '', found[1]::int8
      FROM rules r, regexp_matches(r.tree, ':relid (\d+)', 'g') AS found
     WHERE found[1]::int8 NOT IN (0, r.relation::int8)
    UNION ALL
    SELECT 'uses', i.inhparent::int8, '', '', '', i.inhrelid::int8
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relkind IN ('r', 'p', 'f')
    UNION ALL
    SELECT 'calls', k.relation::int8, n.nspname, c.proname, '', c.oid::int8
      FROM called k JOIN calls c ON c.oid = k.function JOIN pg_namespace n ON n.oid = c.pronamespace
     WHERE c.oid >= 16384 OR NOT c.is_immutable
    UNION ALL
    SELECT DISTINCT 'tainted', r.relation::int8, '', '', '', 0::int8
      FROM rules r, regexp_matches(r.tree, ':\w*type (\d+)', 'g') AS found
     WHERE EXISTS (SELECT FROM tainted) AND found[1]::oid = ANY (ARRAY(SELECT type FROM tainted))
    UNION ALL
    SELECT 'locks', r.relation::int8, '', '', '', 0 FROM rules r WHERE r.tree LIKE '%:rowMarks ({%'
    UNION ALL
    SELECT 'serializable', s.setrole::int8, '', COALESCE(a.rolname, ''), '', 0
      FROM pg_db_role_setting s LEFT JOIN pg_roles a ON a.oid = s.setrole
     WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
       AND EXISTS (SELECT FROM unnest(s.setconfig) AS c WHERE lower(c) = 'default_transaction_isolation=serializable')
    UNION ALL
    SELECT 'serializable', 0, '', '', '', 0 FROM pg_settings
     WHERE name = 'default_transaction_isolation' AND reset_val = 'serializable'
)
SELECT * FROM facts LIMIT 500001
)SQL";

}  // namespace pgweir::route
