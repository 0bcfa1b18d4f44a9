-- Users, for administrators.

GRANT CREATE ON SCHEMA taskcore TO taskcore_definer, taskcore_directory;
SET LOCAL ROLE taskcore_definer;

-- Read one user, with the number of their tasks and of the open ones.
-- No row: there is no such user.
CREATE OR REPLACE FUNCTION taskcore.user_get_v1(
    p_user_id bigint
) RETURNS TABLE (
    id bigint, created_at timestamptz, updated_at timestamptz, blocked_at timestamptz,
    task_count bigint, open_count bigint
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    RETURN QUERY
        SELECT u.id, u.created_at, u.updated_at, u.blocked_at, c.task_count, c.open_count
        FROM taskcore.users AS u
        CROSS JOIN (
            SELECT pg_catalog.count(*) AS task_count,
                   pg_catalog.count(*) FILTER (WHERE NOT t.completed) AS open_count
            FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id
        ) AS c
        WHERE u.id = p_user_id;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.user_get_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.user_get_v1 TO taskcore_admin;

-- Erase one user and, by the foreign keys' cascade, all of their tasks, identities and tokens.
-- No row: there is no such user.
CREATE OR REPLACE FUNCTION taskcore.user_delete_v1(
    p_user_id bigint
) RETURNS SETOF taskcore.users
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    RETURN QUERY
        DELETE FROM taskcore.users AS u WHERE u.id = p_user_id RETURNING u.*;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.user_delete_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.user_delete_v1 TO taskcore_admin;

-- Block a user, or let them in again. A blocked user's identities and tokens are refused; tasks
-- stay. A user who is blocked, or not, already stays as they are.
-- No row: there is no such user.
CREATE OR REPLACE FUNCTION taskcore.user_block_v1(
    p_user_id bigint, p_blocked boolean
) RETURNS SETOF taskcore.users
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    RETURN QUERY
        UPDATE taskcore.users AS u
        SET blocked_at = CASE WHEN p_blocked
                              THEN COALESCE(u.blocked_at, pg_catalog.clock_timestamp()) END,
            updated_at = CASE WHEN p_blocked = (u.blocked_at IS NOT NULL)
                              THEN u.updated_at ELSE pg_catalog.clock_timestamp() END
        WHERE u.id = p_user_id
        RETURNING u.*;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.user_block_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.user_block_v1 TO taskcore_admin;

SET LOCAL ROLE taskcore_directory;

-- Read at most p_limit users with ids above p_after (null: from the lowest).
CREATE OR REPLACE FUNCTION taskcore.user_list_v1(
    p_after bigint, p_limit integer
) RETURNS SETOF taskcore.users
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
BEGIN
    RETURN QUERY
        SELECT u.* FROM taskcore.users AS u
        WHERE u.id > COALESCE(p_after, 0)
        ORDER BY u.id LIMIT p_limit;
END
$$;

REVOKE ALL ON FUNCTION taskcore.user_list_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.user_list_v1 TO taskcore_admin;

SET LOCAL ROLE taskcore_owner;
REVOKE CREATE ON SCHEMA taskcore FROM taskcore_definer, taskcore_directory;
