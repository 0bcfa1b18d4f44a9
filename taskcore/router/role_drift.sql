-- Statements that take from a router's roles what they must not have: memberships, members of the
-- functions' owner, and settings. $1: the roles. $2: the owner of the functions.
SELECT format('REVOKE %I FROM %I', g.rolname, r.rolname) AS statement
FROM pg_auth_members AS m
JOIN pg_roles AS g ON g.oid = m.roleid
JOIN pg_roles AS r ON r.oid = m.member
WHERE r.rolname = ANY ($1::text[]) OR g.rolname = $2::text
UNION ALL
SELECT format('ALTER ROLE %I %s RESET ALL', r.rolname,
              CASE WHEN s.setdatabase <> 0 THEN 'IN DATABASE ' || quote_ident(current_database())
                   ELSE '' END)
FROM pg_db_role_setting AS s
JOIN pg_roles AS r ON r.oid = s.setrole
LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
WHERE r.rolname = ANY ($1::text[]) AND (s.setdatabase = 0 OR d.datname = current_database())
