#pragma once

namespace pgweir::route {

/// Asks PostgreSQL for the rows of a Catalogue; needs search_path = pg_catalog. Takes locks of
/// system tables only, so no migration waits for it, nor it for one.
/// See: catalog-pg-proc.html, catalog-pg-rewrite.html, catalog-pg-policy.html
///
/// One row for each fact: what it is about, its number, its schema and name, flags, and the number
/// of what it uses. Flags: v volatile, i immutable, e of an extension, . callable as t.f, t of a
/// tainted type; of relations also kind and persistence; of types a: against all reads.
///
/// Implicit casts and comparisons happen without a sign in the text. A volatile one taints the type
/// of the users' that it is of: whatever has a value of that type got it from a column, a function,
/// an operator or a cast, and these are named. Without such a type it is against all reads.
///
/// What a view or policy calls stands in its rule by number, whatever it is called by: no name has
/// to be looked up and nothing has to be locked, as pg_get_viewdef() would.
inline constexpr const char* kCatalogueQuestion = R"SQL(
WITH RECURSIVE calls AS (
    SELECT oid, proname, pronamespace, prokind, pronargs, pronargdefaults, prorettype,
           proargtypes, proallargtypes,
           CASE WHEN prokind = 'a' THEN
                   (SELECT bool_or(s.provolatile = 'v') FROM pg_aggregate a JOIN pg_proc s ON s.oid IN
                        (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,
                         a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn) WHERE a.aggfnoid = p.oid)
                ELSE provolatile = 'v' END AS is_volatile,
           provolatile = 'i' AS is_immutable
      FROM pg_proc p
), hidden AS (
    SELECT k.castsource AS one, k.casttarget AS other
      FROM pg_cast k JOIN calls c ON c.oid = k.castfunc
     WHERE k.oid >= 16384 AND k.castcontext = 'i' AND c.is_volatile
    UNION ALL
    SELECT o.oprleft, o.oprright FROM pg_operator o JOIN calls c ON c.oid = o.oprcode
     WHERE o.oid >= 16384 AND c.is_volatile AND o.oprname IN ('<', '<=', '<>', '=', '>', '>=')
), made_of AS (
    SELECT oid AS type, typelem AS part FROM pg_type WHERE typelem >= 16384
    UNION ALL SELECT oid, typbasetype FROM pg_type WHERE typbasetype >= 16384
    UNION ALL SELECT rngtypid, rngsubtype FROM pg_range WHERE rngsubtype >= 16384
    UNION ALL SELECT c.reltype, a.atttypid FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
               WHERE a.atttypid >= 16384 AND c.reltype <> 0
), tainted AS (
    SELECT CASE WHEN other >= 16384 THEN other ELSE one END AS type FROM hidden
     WHERE one >= 16384 OR other >= 16384
    UNION
    SELECT m.type FROM tainted t JOIN made_of m ON m.part = t.type
), rules AS (
    SELECT r.ev_class AS relation, r.ev_action::text AS tree
      FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
     WHERE r.ev_type = '1' AND c.relkind = 'v'
    UNION ALL
    SELECT polrelid, polqual::text FROM pg_policy WHERE polcmd IN ('r', '*') AND polqual IS NOT NULL
), called AS (
    SELECT DISTINCT relation, found[1]::oid AS function
      FROM rules, regexp_matches(tree, ':(?:func|opfunc|aggfn|winfn)o?id (\d+)', 'g') AS found
), checked AS (
    SELECT DISTINCT k.contypid AS type, found[1]::oid AS function
      FROM pg_constraint k, regexp_matches(k.conbin::text, ':(?:func|opfunc)id (\d+)', 'g') AS found
     WHERE k.contypid <> 0
)
SELECT 'function', c.oid::int8, n.nspname, c.proname,
       CASE WHEN c.is_volatile THEN 'v' WHEN c.is_immutable THEN 'i' ELSE '' END
       || CASE WHEN EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                               AND d.objid = c.oid AND d.deptype = 'e') THEN 'e' ELSE '' END
       || CASE WHEN c.pronargs > 0 AND c.pronargs - c.pronargdefaults <= 1 AND a.typtype IN ('c', 'p', 'd')
               THEN '.' ELSE '' END
       || CASE WHEN EXISTS (SELECT FROM tainted t WHERE t.type = c.prorettype OR t.type = ANY (c.proargtypes)
                               OR t.type = ANY (c.proallargtypes)) THEN 't' ELSE '' END, 0::int8
  FROM calls c JOIN pg_namespace n ON n.oid = c.pronamespace LEFT JOIN pg_type a ON a.oid = c.proargtypes[0]
 WHERE c.prokind <> 'p' AND c.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
UNION ALL
SELECT 'operator', o.oid::int8, n.nspname, o.oprname, CASE WHEN c.is_volatile THEN 'v' ELSE 't' END, 0
  FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace JOIN calls c ON c.oid = o.oprcode
 WHERE o.oid >= 16384
   AND (c.is_volatile OR EXISTS (SELECT FROM tainted t WHERE t.type IN (o.oprleft, o.oprright, o.oprresult)))
UNION ALL
SELECT 'type', h.one::int8, '', format_type(h.one, NULL), 'a', 0 FROM hidden h
 WHERE h.one < 16384 AND h.other < 16384
UNION ALL
SELECT 'type', t.oid::int8, n.nspname, t.typname, 't', 0
  FROM tainted x JOIN pg_type t ON t.oid = x.type JOIN pg_namespace n ON n.oid = t.typnamespace
UNION ALL
SELECT 'type', t.oid::int8, n.nspname, t.typname, 'v', 0
  FROM pg_cast k JOIN pg_type t ON t.oid = k.casttarget JOIN pg_namespace n ON n.oid = t.typnamespace
       JOIN calls c ON c.oid = k.castfunc
 WHERE k.oid >= 16384 AND c.is_volatile
UNION ALL
SELECT 'type', t.oid::int8, n.nspname, t.typname, 'v', 0
  FROM checked k JOIN pg_type t ON t.oid = k.type JOIN pg_namespace n ON n.oid = t.typnamespace
       JOIN calls c ON c.oid = k.function
 WHERE c.is_volatile
UNION ALL
SELECT 'relation', c.oid::int8, n.nspname, c.relname,
       c.relkind::text || c.relpersistence::text
       || CASE WHEN EXISTS (SELECT FROM pg_attribute a JOIN tainted t ON t.type = a.atttypid
                             WHERE a.attrelid = c.oid) THEN 't' ELSE '' END, 0
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
SELECT 'calls', k.relation::int8, n.nspname, c.proname, CASE WHEN c.is_volatile THEN 'v' ELSE '' END, 0
  FROM called k JOIN calls c ON c.oid = k.function JOIN pg_namespace n ON n.oid = c.pronamespace
 WHERE c.is_volatile OR NOT c.is_immutable
UNION ALL
SELECT 'locks', r.relation::int8, '', '', '', 0 FROM rules r WHERE r.tree LIKE '%:rowMarks ({%'
)SQL";

}  // namespace pgweir::route
