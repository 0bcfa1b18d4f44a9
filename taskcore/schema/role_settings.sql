-- Settings that taskcore_app may have given itself with ALTER ROLE … SET, in all
-- databases and in this one. Settings that only a superuser may set are left out,
-- except those of taskcore itself. Settings of plpgsql are found by their names, as a
-- session lists them only after it has used plpgsql.
SELECT s.name, s.value, s.in_this_database
FROM (
    SELECT split_part(c.setting, '=', 1) AS name,
           substr(c.setting, strpos(c.setting, '=') + 1) AS value,
           d.setdatabase <> 0 AS in_this_database
    FROM pg_catalog.pg_db_role_setting AS d
    JOIN pg_catalog.pg_roles AS r ON r.oid = d.setrole
    CROSS JOIN LATERAL unnest(d.setconfig) AS c(setting)
    WHERE r.rolname = 'taskcore_app'
      AND d.setdatabase IN (
          0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
      )
) AS s
LEFT JOIN pg_catalog.pg_settings AS g ON g.name = s.name
WHERE g.context = 'user' OR s.name LIKE 'plpgsql.%' OR s.name LIKE 'taskcore.%'
ORDER BY s.in_this_database, s.name
