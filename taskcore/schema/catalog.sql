-- The schema taskcore, one row for each object, in words that are the same
-- on every PostgreSQL from 16 on. Privileges of the owner are left out. The result is
-- compared with catalog.json.
WITH acl(kind, name, owner, acl) AS (
    SELECT 'schema', n.nspname::text, n.nspowner, n.nspacl
    FROM pg_namespace AS n WHERE n.nspname = 'taskcore'
    UNION ALL
    SELECT 'relation', c.relname, c.relowner, c.relacl
    FROM pg_class AS c
    WHERE c.relnamespace = to_regnamespace('taskcore') AND c.relkind NOT IN ('i', 't')
    UNION ALL
    SELECT 'function', p.oid::regprocedure::text, p.proowner,
           COALESCE(p.proacl, acldefault('f', p.proowner))
    FROM pg_proc AS p WHERE p.pronamespace = to_regnamespace('taskcore')
    UNION ALL
    SELECT 'column', a.attrelid::regclass || '.' || a.attname, c.relowner, a.attacl
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    WHERE c.relnamespace = to_regnamespace('taskcore') AND a.attacl IS NOT NULL
)
SELECT 'privileges of ' || kind || ' ' || name AS object,
       'owner ' || pg_get_userbyid(owner) || COALESCE('; ' || (
           SELECT string_agg(
               CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee)::text END
               || ' ' || x.privilege_type
               || CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END,
               ', ' ORDER BY 1)
           FROM (
               SELECT e.grantee, e.privilege_type, e.is_grantable
               FROM aclexplode(acl.acl) AS e
               WHERE e.grantee <> acl.owner
               ORDER BY pg_get_userbyid(e.grantee), e.privilege_type
           ) AS x
       ), '') AS definition
FROM acl
UNION ALL
SELECT 'relation ' || c.relname,
       'kind ' || c.relkind::text || ', persistence ' || c.relpersistence::text
       || ', row security ' || c.relrowsecurity || ', forced ' || c.relforcerowsecurity
       || ', rules ' || c.relhasrules
       || ', inherits ' || (
           SELECT count(*) FROM pg_inherits AS i WHERE c.oid IN (i.inhparent, i.inhrelid)
       )
FROM pg_class AS c
WHERE c.relnamespace = to_regnamespace('taskcore') AND c.relkind NOT IN ('i', 't')
UNION ALL
SELECT 'column ' || c.relname || '.' || a.attname,
       format_type(a.atttypid, a.atttypmod)
       || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
       || COALESCE(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = to_regnamespace('taskcore') AND c.relkind = 'r'
  AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint ' || c.relname || '.' || k.conname,
       pg_get_constraintdef(k.oid) || CASE WHEN k.convalidated THEN '' ELSE ' NOT VALID' END
FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
WHERE k.connamespace = to_regnamespace('taskcore') AND k.contype <> 'n'
UNION ALL
SELECT 'index ' || c.relname, pg_get_indexdef(i.indexrelid)
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE c.relnamespace = to_regnamespace('taskcore')
UNION ALL
SELECT 'trigger ' || c.relname || '.' || t.tgname, pg_get_triggerdef(t.oid)
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
WHERE c.relnamespace = to_regnamespace('taskcore')
  AND (NOT t.tgisinternal OR t.tgenabled <> 'O')
UNION ALL
SELECT 'policy ' || p.tablename || '.' || p.policyname,
       p.permissive || ' FOR ' || p.cmd || ' TO ' || array_to_string(p.roles, ', ')
       || COALESCE(' USING ' || p.qual, '') || COALESCE(' WITH CHECK ' || p.with_check, '')
FROM pg_policies AS p
WHERE p.schemaname = 'taskcore'
UNION ALL
SELECT 'function ' || p.oid::regprocedure,
       'RETURNS ' || pg_get_function_result(p.oid) || ' LANGUAGE ' || l.lanname
       || ' ' || CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE'
                                    ELSE 'VOLATILE' END
       || CASE WHEN p.prosecdef THEN ' SECURITY DEFINER' ELSE ' SECURITY INVOKER' END
       || CASE WHEN p.proisstrict THEN ' STRICT' ELSE '' END
       || CASE WHEN p.proleakproof THEN ' LEAKPROOF' ELSE '' END
       || ' PARALLEL ' || p.proparallel::text
       || ' (' || pg_get_function_arguments(p.oid) || ')'
       || COALESCE(' SET ' || array_to_string(p.proconfig, ' SET '), '')
       || ' AS md5 ' || md5(p.prosrc)
FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
WHERE p.pronamespace = to_regnamespace('taskcore')
ORDER BY 1
