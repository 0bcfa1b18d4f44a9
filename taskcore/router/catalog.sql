-- The objects of a router, one row for each. Passwords are left out.
SELECT 'function ' || p.oid::regprocedure AS object,
       pg_get_userbyid(p.proowner) || ' ' || COALESCE(p.proacl::text, '') || ' '
       || pg_get_functiondef(p.oid) AS definition
FROM pg_proc AS p WHERE p.pronamespace = to_regnamespace('taskcore')
UNION ALL
SELECT 'type ' || c.relname,
       string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum)
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = to_regnamespace('taskcore') AND a.attnum > 0
GROUP BY c.relname
UNION ALL
SELECT 'schema ' || n.nspname, pg_get_userbyid(n.nspowner) || ' ' || COALESCE(n.nspacl::text, '')
FROM pg_namespace AS n WHERE n.nspname = 'taskcore'
UNION ALL
SELECT 'place ' || split_part(o, '=', 1), o
FROM pg_foreign_server AS s, unnest(s.srvoptions) AS o WHERE s.srvname = 'taskcore'
UNION ALL
SELECT 'server ' || s.srvname, pg_get_userbyid(s.srvowner) || ' ' || COALESCE(s.srvacl::text, '')
FROM pg_foreign_server AS s WHERE s.srvname = 'taskcore'
UNION ALL
SELECT 'login of ' || m.usename, o
FROM pg_user_mappings AS m, unnest(m.umoptions) AS o
WHERE m.srvname = 'taskcore' AND o NOT LIKE 'password=%'
UNION ALL
SELECT 'member of taskcore_router ' || r.rolname, ''
FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.member
WHERE m.roleid = (SELECT oid FROM pg_roles WHERE rolname = 'taskcore_router')
UNION ALL
SELECT 'setting of ' || r.rolname || CASE WHEN s.setdatabase <> 0 THEN ' here' ELSE '' END,
       array_to_string(s.setconfig, ', ')
FROM pg_db_role_setting AS s
JOIN pg_roles AS r ON r.oid = s.setrole
LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
WHERE r.rolname IN ('taskcore_router', 'taskcore_app', 'taskcore_admin')
  AND (s.setdatabase = 0 OR d.datname = current_database())
ORDER BY 1
