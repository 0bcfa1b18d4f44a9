-- Every operation of the library is one call of one of these functions.
--
-- Each function refuses a user id that is none, binds the user to the
-- transaction (row-level security reads the binding), runs a query that names
-- the user again, and unbinds before it returns. The binding is a statement of
-- its own: the order of CTEs is not guaranteed. It is an assignment, as PERFORM
-- would start a query for it.
--
-- enable_seqscan = off: plans are cached, and one that was made while the tables
-- were small would read all of them as long as the connection lives, or until the
-- next ANALYZE.
--
-- A released function keeps its signature and its result columns for ever; a
-- change is a new _v2 beside it, so that clients of both releases work through
-- one connection pooler.

GRANT CREATE ON SCHEMA taskcore TO taskcore_definer;
SET LOCAL ROLE taskcore_definer;

-- Create one task, and its user on the first write. No row: the id is taken by
-- another write. A repeated write (same write_id) returns the stored row.
-- p_newest: the id must be above those of all tasks of the user, and at least 4096,
-- as lower ones hold no time. Tasks that the same store has created do not count (the
-- upper half of their write_id is the same): ids of one store rise. Otherwise nothing
-- is stored: SQLSTATE TC002, with the newest id and the server's milliseconds since
-- 1970 in DETAIL. The check follows the insertion: if two attempts of one write run at
-- once, the second waits at the key, so it never gives up an id that the first stores.
CREATE OR REPLACE FUNCTION taskcore.task_create_v1(
    p_user_id bigint, p_id bigint, p_write_id bigint, p_title text, p_description text,
    p_newest boolean DEFAULT false
) RETURNS TABLE (
    id bigint, user_id bigint, title text, description text, completed boolean,
    version integer, created_at timestamptz, updated_at timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_bound text;
    v_newest bigint;
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    INSERT INTO taskcore.users (id) VALUES (p_user_id) ON CONFLICT (id) DO NOTHING;
    RETURN QUERY
        INSERT INTO taskcore.tasks AS t (user_id, id, write_id, title, description)
        VALUES (p_user_id, p_id, p_write_id, p_title, p_description)
        ON CONFLICT (user_id, id) DO NOTHING
        RETURNING t.id, t.user_id, t.title, t.description, t.completed,
                  t.version, t.created_at, t.updated_at;
    IF NOT FOUND THEN
        RETURN QUERY
            SELECT t.id, t.user_id, t.title, t.description, t.completed,
                   t.version, t.created_at, t.updated_at
            FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND t.id = p_id AND t.write_id = p_write_id;
    ELSIF p_newest THEN
        SELECT t.id INTO v_newest
            FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND t.id > p_id
              AND t.write_id >> 32 <> p_write_id >> 32
            ORDER BY t.id DESC LIMIT 1;
        IF FOUND OR p_id < 4096 THEN
            RAISE EXCEPTION 'the user has newer tasks' USING ERRCODE = 'TC002',
                DETAIL = pg_catalog.format('%s,%s', COALESCE(v_newest, 0),
                    (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000)::bigint);
        END IF;
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.task_create_v1(bigint, bigint, bigint, text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.task_create_v1(bigint, bigint, bigint, text, text, boolean) TO taskcore_app;

-- Create a batch, all of it or nothing: p_tasks is an array of objects with
-- id, title and description. SQLSTATE TC001: other writes hold the ids named,
-- comma-separated, in DETAIL; nothing was stored. p_newest and TC002: as in
-- task_create_v1, for the lowest id. A repeated batch returns those of its rows that
-- no other write has changed since. OFFSET 0 keeps a look-up by key for each id: with
-- all of them at once the planner may read every task of the user.
CREATE OR REPLACE FUNCTION taskcore.task_create_many_v1(
    p_user_id bigint, p_write_id bigint, p_tasks jsonb, p_newest boolean DEFAULT false
) RETURNS TABLE (
    id bigint, user_id bigint, title text, description text, completed boolean,
    version integer, created_at timestamptz, updated_at timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_bound text;
    v_ids bigint[];
    v_taken text;
    v_stored bigint;
    v_newest bigint;
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    SELECT pg_catalog.array_agg(DISTINCT b.id) INTO v_ids
        FROM pg_catalog.jsonb_to_recordset(p_tasks) AS b(id bigint);
    IF NOT EXISTS (
        SELECT FROM pg_catalog.unnest(v_ids) AS b(id)
        CROSS JOIN LATERAL (
            SELECT t.write_id FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND t.id = b.id OFFSET 0
        ) AS s
        WHERE s.write_id = p_write_id
    ) THEN
        INSERT INTO taskcore.users (id) VALUES (p_user_id) ON CONFLICT (id) DO NOTHING;
        INSERT INTO taskcore.tasks (user_id, id, write_id, title, description)
            SELECT p_user_id, b.id, p_write_id, b.title, b.description
            FROM pg_catalog.jsonb_to_recordset(p_tasks)
                AS b(id bigint, title text, description text)
            ORDER BY b.id
        ON CONFLICT (user_id, id) DO NOTHING;
        GET DIAGNOSTICS v_stored = ROW_COUNT;
        SELECT pg_catalog.string_agg(b.id::text, ',') INTO v_taken
            FROM pg_catalog.unnest(v_ids) AS b(id)
            CROSS JOIN LATERAL (
                SELECT t.write_id FROM taskcore.tasks AS t
                WHERE t.user_id = p_user_id AND t.id = b.id OFFSET 0
            ) AS s
            WHERE s.write_id <> p_write_id;
        IF v_taken IS NOT NULL THEN
            RAISE EXCEPTION 'task ids are taken' USING ERRCODE = 'TC001', DETAIL = v_taken;
        END IF;
        -- If some are there and not taken, another attempt of this write has stored them.
        IF p_newest AND v_stored = pg_catalog.cardinality(v_ids) THEN
            SELECT t.id INTO v_newest
                FROM taskcore.tasks AS t
                WHERE t.user_id = p_user_id AND t.id > v_ids[1]
                  AND t.write_id >> 32 <> p_write_id >> 32
                ORDER BY t.id DESC LIMIT 1;
            IF FOUND OR v_ids[1] < 4096 THEN
                RAISE EXCEPTION 'the user has newer tasks' USING ERRCODE = 'TC002',
                    DETAIL = pg_catalog.format('%s,%s', COALESCE(v_newest, 0),
                        (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000)::bigint);
            END IF;
        END IF;
    END IF;
    RETURN QUERY
        SELECT s.id, s.user_id, s.title, s.description, s.completed,
               s.version, s.created_at, s.updated_at
        FROM pg_catalog.unnest(v_ids) AS b(id)
        CROSS JOIN LATERAL (
            SELECT t.* FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND t.id = b.id OFFSET 0
        ) AS s
        WHERE s.write_id = p_write_id
        ORDER BY s.id;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.task_create_many_v1(bigint, bigint, jsonb, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.task_create_many_v1(bigint, bigint, jsonb, boolean) TO taskcore_app;

-- Store tasks as they are elsewhere: p_tasks is an array of objects with id, title,
-- description and, unless they are new, completed, version, created_at, updated_at.
-- What holds one of the ids already stays as it is; those ids are returned. A
-- repeated import (same write_id) does not return its own.
CREATE OR REPLACE FUNCTION taskcore.task_import_v1(
    p_user_id bigint, p_write_id bigint, p_tasks jsonb
) RETURNS TABLE (id bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_bound text;
    v_stored bigint;
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    INSERT INTO taskcore.users (id) VALUES (p_user_id) ON CONFLICT (id) DO NOTHING;
    INSERT INTO taskcore.tasks (
        user_id, id, write_id, title, description, completed, version, created_at, updated_at
    )
        SELECT p_user_id, b.id, p_write_id, b.title, b.description,
               COALESCE(b.completed, false), COALESCE(b.version, 1),
               COALESCE(b.created_at, b.updated_at, pg_catalog.now()),
               COALESCE(b.updated_at, b.created_at, pg_catalog.now())
        FROM pg_catalog.jsonb_to_recordset(p_tasks) AS b(
            id bigint, title text, description text, completed boolean,
            version integer, created_at timestamptz, updated_at timestamptz
        )
        ORDER BY b.id
    ON CONFLICT (user_id, id) DO NOTHING;
    GET DIAGNOSTICS v_stored = ROW_COUNT;
    IF v_stored < pg_catalog.jsonb_array_length(p_tasks) THEN
        RETURN QUERY
            SELECT b.id
            FROM pg_catalog.jsonb_to_recordset(p_tasks) AS b(id bigint)
            CROSS JOIN LATERAL (
                SELECT t.write_id FROM taskcore.tasks AS t
                WHERE t.user_id = p_user_id AND t.id = b.id OFFSET 0
            ) AS s
            WHERE s.write_id <> p_write_id;
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.task_import_v1(bigint, bigint, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.task_import_v1(bigint, bigint, jsonb) TO taskcore_app;

-- Read one task. No row: it does not exist, or it is another user's.
CREATE OR REPLACE FUNCTION taskcore.task_get_v1(
    p_user_id bigint, p_id bigint
) RETURNS TABLE (
    id bigint, user_id bigint, title text, description text, completed boolean,
    version integer, created_at timestamptz, updated_at timestamptz
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
        SELECT t.id, t.user_id, t.title, t.description, t.completed,
               t.version, t.created_at, t.updated_at
        FROM taskcore.tasks AS t
        WHERE t.user_id = p_user_id AND t.id = p_id;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.task_get_v1(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.task_get_v1(bigint, bigint) TO taskcore_app;

-- Read at most p_limit tasks with ids below p_after (null: from the newest),
-- newest first; p_completed null: open and completed ones. Each of the three
-- queries has a cached plan of its own, so that open tasks use their index. One
-- plan for every p_limit: else PostgreSQL plans anew at each call, as that seems
-- cheaper, which takes longer than the reading. It goes along the key: a bitmap
-- would read all tasks of the user, and sort them.
CREATE OR REPLACE FUNCTION taskcore.task_list_v1(
    p_user_id bigint, p_after bigint, p_limit integer, p_completed boolean
) RETURNS TABLE (
    id bigint, user_id bigint, title text, description text, completed boolean,
    version integer, created_at timestamptz, updated_at timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_bound text;
    v_before bigint := COALESCE(p_after, 9223372036854775807);
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    IF p_completed IS NULL THEN
        RETURN QUERY
            SELECT t.id, t.user_id, t.title, t.description, t.completed,
                   t.version, t.created_at, t.updated_at
            FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND t.id < v_before
            ORDER BY t.id DESC LIMIT p_limit;
    ELSIF p_completed THEN
        RETURN QUERY
            SELECT t.id, t.user_id, t.title, t.description, t.completed,
                   t.version, t.created_at, t.updated_at
            FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND t.id < v_before AND t.completed
            ORDER BY t.id DESC LIMIT p_limit;
    ELSE
        RETURN QUERY
            SELECT t.id, t.user_id, t.title, t.description, t.completed,
                   t.version, t.created_at, t.updated_at
            FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND t.id < v_before AND NOT t.completed
            ORDER BY t.id DESC LIMIT p_limit;
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.task_list_v1(bigint, bigint, integer, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.task_list_v1(bigint, bigint, integer, boolean) TO taskcore_app;

-- Change the fields given: a null title or completed is left as it is, the
-- description is written if p_set_description. No row: no such task of this
-- user. conflict: p_if_version is given and is not the row's; the row is
-- returned as it stands. A change that changes nothing writes nothing; a
-- repeated write (same write_id) returns the stored row. After the last version,
-- which an import may bring, comes 1.
CREATE OR REPLACE FUNCTION taskcore.task_update_v1(
    p_user_id bigint, p_id bigint, p_write_id bigint, p_if_version integer,
    p_title text, p_set_description boolean, p_description text, p_completed boolean
) RETURNS TABLE (
    id bigint, user_id bigint, title text, description text, completed boolean,
    version integer, created_at timestamptz, updated_at timestamptz, conflict boolean
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_bound text;
    v_task record;
    v_turns integer := 0;
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    LOOP
        v_turns := v_turns + 1;
        IF v_turns > 100 THEN
            RAISE EXCEPTION 'other writes keep coming between' USING ERRCODE = '40001';
        END IF;
        RETURN QUERY
            UPDATE taskcore.tasks AS t
            SET title = COALESCE(p_title, t.title),
                description = CASE WHEN p_set_description THEN p_description
                                   ELSE t.description END,
                completed = COALESCE(p_completed, t.completed),
                version = CASE WHEN t.version < 2147483647 THEN t.version + 1 ELSE 1 END,
                write_id = p_write_id,
                updated_at = GREATEST(pg_catalog.clock_timestamp(), t.updated_at)
            WHERE t.user_id = p_user_id AND t.id = p_id
              AND (p_if_version IS NULL OR t.version = p_if_version)
              AND t.write_id <> p_write_id
              AND (t.title <> p_title OR t.completed <> p_completed
                   OR (p_set_description AND t.description IS DISTINCT FROM p_description))
            RETURNING t.id, t.user_id, t.title, t.description, t.completed,
                      t.version, t.created_at, t.updated_at, false;
        EXIT WHEN FOUND;
        SELECT t.id, t.user_id, t.title, t.description, t.completed, t.version,
               t.created_at, t.updated_at, t.write_id
            INTO v_task
            FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND t.id = p_id;
        EXIT WHEN NOT FOUND;
        -- Between the two statements another write may have made a change
        -- necessary again: then the update has its turn once more.
        IF v_task.write_id = p_write_id
            OR v_task.version <> p_if_version
            OR NOT (COALESCE(v_task.title <> p_title, false)
                    OR COALESCE(v_task.completed <> p_completed, false)
                    OR (p_set_description
                        AND v_task.description IS DISTINCT FROM p_description))
        THEN
            RETURN QUERY SELECT
                v_task.id, v_task.user_id, v_task.title, v_task.description,
                v_task.completed, v_task.version, v_task.created_at, v_task.updated_at,
                v_task.write_id <> p_write_id
                    AND COALESCE(v_task.version <> p_if_version, false);
            EXIT;
        END IF;
    END LOOP;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.task_update_v1(bigint, bigint, bigint, integer, text, boolean, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.task_update_v1(bigint, bigint, bigint, integer, text, boolean, text, boolean) TO taskcore_app;

-- Delete one task. No row: no such task of this user. conflict: p_if_version is
-- given and is not the row's; nothing was deleted. version: the row's.
CREATE OR REPLACE FUNCTION taskcore.task_delete_v1(
    p_user_id bigint, p_id bigint, p_if_version integer
) RETURNS TABLE (version integer, conflict boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
    v_version integer;
    v_turns integer := 0;
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    LOOP
        v_turns := v_turns + 1;
        IF v_turns > 100 THEN
            RAISE EXCEPTION 'other writes keep coming between' USING ERRCODE = '40001';
        END IF;
        RETURN QUERY
            DELETE FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND t.id = p_id
              AND (p_if_version IS NULL OR t.version = p_if_version)
            RETURNING t.version, false;
        EXIT WHEN FOUND OR p_if_version IS NULL;
        SELECT t.version INTO v_version
            FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND t.id = p_id;
        EXIT WHEN NOT FOUND;
        IF v_version <> p_if_version THEN
            RETURN QUERY SELECT v_version, true;
            EXIT;
        END IF;
    END LOOP;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.task_delete_v1(bigint, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.task_delete_v1(bigint, bigint, integer) TO taskcore_app;

SET LOCAL ROLE taskcore_owner;
REVOKE CREATE ON SCHEMA taskcore FROM taskcore_definer;
