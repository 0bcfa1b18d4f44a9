-- Row-level security and table privileges, applied as taskcore_owner.
-- https://www.postgresql.org/docs/current/ddl-rowsecurity.html

GRANT USAGE ON SCHEMA taskcore
    TO taskcore_definer, taskcore_authenticator, taskcore_directory, taskcore_app, taskcore_admin;

-- Only the roles that own functions reach the tables; they cannot log in.
GRANT SELECT, INSERT, UPDATE, DELETE ON taskcore.users, taskcore.tasks, taskcore.tokens
    TO taskcore_definer;
GRANT SELECT, INSERT, UPDATE, DELETE ON taskcore.users, taskcore.identities
    TO taskcore_authenticator;
GRANT SELECT, UPDATE (last_used_on), DELETE ON taskcore.tokens TO taskcore_authenticator;
GRANT SELECT ON taskcore.users, taskcore.identities TO taskcore_directory;

-- FORCE applies the policies to the tables' owner too.
ALTER TABLE taskcore.users ENABLE ROW LEVEL SECURITY;
ALTER TABLE taskcore.users FORCE ROW LEVEL SECURITY;
ALTER TABLE taskcore.identities ENABLE ROW LEVEL SECURITY;
ALTER TABLE taskcore.identities FORCE ROW LEVEL SECURITY;
ALTER TABLE taskcore.tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE taskcore.tokens FORCE ROW LEVEL SECURITY;
ALTER TABLE taskcore.tasks ENABLE ROW LEVEL SECURITY;
ALTER TABLE taskcore.tasks FORCE ROW LEVEL SECURITY;

-- A policy that this release does not know is a hole, so drop all policies first.
DO $drop$
DECLARE
    v_policy record;
BEGIN
    FOR v_policy IN
        SELECT p.tablename, p.policyname FROM pg_catalog.pg_policies AS p
        WHERE p.schemaname = 'taskcore'
    LOOP
        EXECUTE pg_catalog.format('DROP POLICY %I ON taskcore.%I',
                                  v_policy.policyname, v_policy.tablename);
    END LOOP;
END
$drop$;

-- current_setting() without missing_ok: a statement that is not bound to a user fails
-- (42704, or 22P02 after an earlier binding). It must not find "no rows".
CREATE POLICY users_own ON taskcore.users TO taskcore_definer, taskcore_authenticator
    USING (id = current_setting('taskcore.user_id')::bigint)
    WITH CHECK (id = current_setting('taskcore.user_id')::bigint);

CREATE POLICY tasks_own ON taskcore.tasks TO taskcore_definer
    USING (user_id = current_setting('taskcore.user_id')::bigint)
    WITH CHECK (user_id = current_setting('taskcore.user_id')::bigint);

-- A user's own tokens, to list and revoke them.
CREATE POLICY tokens_own ON taskcore.tokens TO taskcore_definer
    USING (user_id = current_setting('taskcore.user_id')::bigint)
    WITH CHECK (user_id = current_setting('taskcore.user_id')::bigint);

-- Bound to the token that was presented. An empty setting matches nothing: no hash is empty.
CREATE POLICY tokens_presented ON taskcore.tokens TO taskcore_authenticator
    USING (hash = current_setting('taskcore.token')::bytea)
    WITH CHECK (hash = current_setting('taskcore.token')::bytea);

-- Bound to the credential that was presented. An empty setting, which an earlier binding
-- leaves behind, matches nothing: no issuer is empty.
CREATE POLICY identities_presented ON taskcore.identities TO taskcore_authenticator
    USING (issuer = current_setting('taskcore.issuer')
           AND subject = current_setting('taskcore.subject'))
    WITH CHECK (issuer = current_setting('taskcore.issuer')
                AND subject = current_setting('taskcore.subject'));

-- Administrators list users and identities: names, ids and dates, never tasks.
CREATE POLICY users_directory ON taskcore.users FOR SELECT TO taskcore_directory
    USING (true);

CREATE POLICY identities_directory ON taskcore.identities FOR SELECT TO taskcore_directory
    USING (true);
