-- The functions that applications and administrators call on a shard, and the types they return,
-- as the text that makes them: a router has them under the same names.
SELECT 'type' AS kind, c.relname::text AS name,
       string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), ', '
                  ORDER BY a.attnum) AS arguments,
       NULL AS types, NULL AS result, NULL::text[] AS names, NULL AS definition,
       false AS for_application, false AS for_administrators
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = 'taskcore'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
  AND c.reltype IN (
      SELECT p.prorettype FROM pg_proc AS p WHERE p.pronamespace = 'taskcore'::regnamespace
  )
GROUP BY c.relname
UNION ALL
SELECT CASE l.lanname WHEN 'sql' THEN 'local' ELSE 'proxy' END, p.proname,
       pg_get_function_arguments(p.oid), oidvectortypes(p.proargtypes),
       pg_get_function_result(p.oid),
       p.proargnames[1:p.pronargs], pg_get_functiondef(p.oid),
       has_function_privilege('taskcore_app', p.oid, 'EXECUTE'),
       has_function_privilege('taskcore_admin', p.oid, 'EXECUTE')
FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
WHERE p.pronamespace = 'taskcore'::regnamespace
  AND (right(p.proname, 3) = '_v1' OR l.lanname = 'sql')
  AND (has_function_privilege('taskcore_app', p.oid, 'EXECUTE')
       OR has_function_privilege('taskcore_admin', p.oid, 'EXECUTE'))
ORDER BY 1, 2
