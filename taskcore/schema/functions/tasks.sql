-- The operations on one user's tasks: each is one call of one of these functions.
--
-- Each function refuses an invalid user id. It binds the user to the transaction for
-- row-level security, runs a query that names the user again, and unbinds. (The two functions
-- for several tasks call those for one task instead.) The binding is a statement of its own,
-- because the order of CTEs is not guaranteed. It is an assignment, because PERFORM would
-- start a query.
--
-- Functions return whole rows, and callers name the columns they read: a new column
-- changes no signature.
--
-- enable_seqscan = off: plans are cached. A plan made while the tables were small would
-- scan them as long as the connection lives.
--
-- From release 0.1.0 on, a function keeps its signature. A change is a new _v2 beside
-- it, so that clients of both releases work through one connection pooler.

GRANT CREATE ON SCHEMA taskcore TO taskcore_definer;
SET LOCAL ROLE taskcore_definer;

-- Create one task from p_task, an object with the fields of a new task. Only title is required;
-- task_text describes find. The user's first task creates the user. If the user already has a task
-- with this key, nothing is stored and that task is returned. No row: another write holds the id.
-- A repeated write (same write_id) returns the stored row. The row's write_id tells which write
-- stored it.
--
-- p_newest: the id must be above those of all tasks of the user, and at least 4096,
-- as lower ids hold no time. Tasks of the same store do not count (the upper half of
-- their write_id is the same), because ids of one store rise. Otherwise nothing is
-- stored: SQLSTATE TC002, with the newest id and the server's milliseconds since 1970
-- in DETAIL. The check follows the insertion: if two attempts of one write run at once,
-- the second waits at the key, so it never gives up an id that the first stores.
CREATE OR REPLACE FUNCTION taskcore.task_create_v1(
    p_user_id bigint, p_id bigint, p_write_id bigint, p_task jsonb,
    p_newest boolean DEFAULT false
) RETURNS SETOF taskcore.tasks
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
    v_new taskcore.tasks;
    v_newest bigint;
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    v_new := pg_catalog.jsonb_populate_record(NULL::taskcore.tasks, p_task);
    -- Most users exist, and to find one takes less time than a conflict.
    PERFORM FROM taskcore.users AS u WHERE u.id = p_user_id;
    IF NOT FOUND THEN
        INSERT INTO taskcore.users (id) VALUES (p_user_id) ON CONFLICT (id) DO NOTHING;
    END IF;
    RETURN QUERY
        INSERT INTO taskcore.tasks AS t (
            user_id, id, write_id, title, description, due, due_zone, priority, project, tags,
            extra, key, find
        )
        VALUES (p_user_id, p_id, p_write_id, v_new.title, v_new.description, v_new.due,
                v_new.due_zone, COALESCE(v_new.priority, 0::smallint), v_new.project,
                COALESCE(v_new.tags, '{}'), NULLIF(v_new.extra, '{}'), v_new.key, v_new.find)
        ON CONFLICT DO NOTHING
        RETURNING t.*;
    IF NOT FOUND THEN
        RETURN QUERY
            SELECT t.* FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND t.id = p_id AND t.write_id = p_write_id;
        IF NOT FOUND AND v_new.key IS NOT NULL THEN
            RETURN QUERY
                SELECT t.* FROM taskcore.tasks AS t
                WHERE t.user_id = p_user_id AND t.key = v_new.key;
        END IF;
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

REVOKE ALL ON FUNCTION taskcore.task_create_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.task_create_v1 TO taskcore_app;

-- Create a batch, all of it or nothing. p_tasks is an array of objects as in
-- task_create_v1, each with an id. SQLSTATE TC001: other writes hold the ids listed in
-- DETAIL, and nothing was stored. p_newest and TC002: as in task_create_v1, for the
-- lowest id. A repeated batch returns those
-- of its rows that no other write has changed since. After these, the tasks of other writes that
-- have one of the keys are returned. OFFSET 0 makes the planner look up each id by the primary key;
-- for all ids at once it may read every task of the user.
CREATE OR REPLACE FUNCTION taskcore.task_create_many_v1(
    p_user_id bigint, p_write_id bigint, p_tasks jsonb, p_newest boolean DEFAULT false
) RETURNS SETOF taskcore.tasks
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
    v_ids bigint[];
    v_taken text;
    v_stored bigint;
    v_mine bigint;
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
        INSERT INTO taskcore.tasks (
            user_id, id, write_id, title, description, due, due_zone, priority, project, tags,
            extra, key, find
        )
            SELECT p_user_id, b.id, p_write_id, b.title, b.description, b.due, b.due_zone,
                   COALESCE(b.priority, 0::smallint), b.project, COALESCE(b.tags, '{}'),
                   NULLIF(b.extra, '{}'), b.key, b.find
            FROM pg_catalog.jsonb_populate_recordset(NULL::taskcore.tasks, p_tasks) AS b
            -- By key, so that two batches with the same keys cannot deadlock.
            ORDER BY b.key, b.id
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS v_stored = ROW_COUNT;
        SELECT pg_catalog.string_agg(b.id::text, ',') FILTER (WHERE s.write_id <> p_write_id),
               pg_catalog.count(*) FILTER (WHERE s.write_id = p_write_id)
            INTO v_taken, v_mine
            FROM pg_catalog.unnest(v_ids) AS b(id)
            CROSS JOIN LATERAL (
                SELECT t.write_id FROM taskcore.tasks AS t
                WHERE t.user_id = p_user_id AND t.id = b.id OFFSET 0
            ) AS s;
        IF v_taken IS NOT NULL THEN
            RAISE EXCEPTION 'task ids are taken' USING ERRCODE = 'TC001', DETAIL = v_taken;
        END IF;
        -- If more are there than were stored here, another attempt of this write has stored them.
        IF p_newest AND v_stored > 0 AND v_stored = v_mine THEN
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
        SELECT s.*
        FROM pg_catalog.unnest(v_ids) AS b(id)
        CROSS JOIN LATERAL (
            SELECT t.* FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND t.id = b.id OFFSET 0
        ) AS s
        WHERE s.write_id = p_write_id
        ORDER BY s.id;
    GET DIAGNOSTICS v_stored = ROW_COUNT;
    IF v_stored < pg_catalog.cardinality(v_ids) THEN
        RETURN QUERY
            SELECT s.*
            FROM pg_catalog.jsonb_to_recordset(p_tasks) AS b(key text)
            CROSS JOIN LATERAL (
                SELECT t.* FROM taskcore.tasks AS t
                WHERE t.user_id = p_user_id AND t.key = b.key OFFSET 0
            ) AS s
            WHERE s.write_id <> p_write_id;
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.task_create_many_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.task_create_many_v1 TO taskcore_app;

-- Store exported tasks. p_tasks is an array of objects. Each has id and title, and may have
-- every other column of a task except user_id and write_id. If the user already has a task with
-- the id or the key, that task stays as it is. Returns the ids in p_tasks that were not stored;
-- by_key: a task with another id has the key. A repeated import (same write_id) does not return
-- the ids that it has stored itself.
CREATE OR REPLACE FUNCTION taskcore.task_import_v1(
    p_user_id bigint, p_write_id bigint, p_tasks jsonb
) RETURNS TABLE (id bigint, by_key boolean)
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
        user_id, id, write_id, title, description, due, due_zone, priority, project, tags,
        extra, key, find, completed, version, created_at, updated_at, completed_at
    )
        SELECT p_user_id, b.id, p_write_id, b.title, b.description, b.due, b.due_zone,
               COALESCE(b.priority, 0::smallint), b.project, COALESCE(b.tags, '{}'),
               NULLIF(b.extra, '{}'), b.key, b.find,
               COALESCE(b.completed, false), COALESCE(b.version, 1),
               COALESCE(b.created_at, b.updated_at, pg_catalog.now()),
               COALESCE(b.updated_at, b.created_at, pg_catalog.now()),
               CASE WHEN b.completed THEN COALESCE(
                   b.completed_at, b.updated_at, b.created_at, pg_catalog.now()) END
        FROM pg_catalog.jsonb_populate_recordset(NULL::taskcore.tasks, p_tasks) AS b
        -- By key, so that two imports with the same keys cannot deadlock.
        ORDER BY b.key, b.id
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS v_stored = ROW_COUNT;
    IF v_stored < pg_catalog.jsonb_array_length(p_tasks) THEN
        RETURN QUERY
            SELECT b.id, false
            FROM pg_catalog.jsonb_to_recordset(p_tasks) AS b(id bigint)
            CROSS JOIN LATERAL (
                SELECT t.write_id FROM taskcore.tasks AS t
                WHERE t.user_id = p_user_id AND t.id = b.id OFFSET 0
            ) AS s
            WHERE s.write_id <> p_write_id;
        RETURN QUERY
            SELECT b.id, true
            FROM pg_catalog.jsonb_to_recordset(p_tasks) AS b(id bigint, key text)
            CROSS JOIN LATERAL (
                SELECT t.id FROM taskcore.tasks AS t
                WHERE t.user_id = p_user_id AND t.key = b.key OFFSET 0
            ) AS s
            WHERE s.id <> b.id;
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.task_import_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.task_import_v1 TO taskcore_app;

-- Read one task. No row: the user has no task with this id.
CREATE OR REPLACE FUNCTION taskcore.task_get_v1(
    p_user_id bigint, p_id bigint
) RETURNS SETOF taskcore.tasks
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
        SELECT t.* FROM taskcore.tasks AS t
        WHERE t.user_id = p_user_id AND t.id = p_id;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.task_get_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.task_get_v1 TO taskcore_app;

-- Return the text that a search reads of a task: title, description and tags, each on its own line
-- and folded by the library (NFKC, Python's casefold, NFKC). It is the column find. In most texts
-- folding changes only the case of ASCII letters: then find is null and the text is made here.
-- STABLE, as array_to_string is; otherwise PostgreSQL would not inline the function.
CREATE OR REPLACE FUNCTION taskcore.task_text(t taskcore.tasks) RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT COALESCE(
        t.find,
        lower((t.title || chr(10) || COALESCE(t.description, '') || chr(10)
               || array_to_string(t.tags, chr(10))) COLLATE "C")
    )
$$;

REVOKE ALL ON FUNCTION taskcore.task_text FROM PUBLIC;

-- Return the column find of a task that changes from p_old to p_new. p_folds is an object with the
-- folded texts of the values that the change writes: title, description, and in tags an object
-- from each tag to its folded text. For any other value the line of the old find is right; if
-- there is none, folding changes only the case of its ASCII letters. So each line belongs to the
-- value in the row, even if another writer has just changed some of the values.
CREATE OR REPLACE FUNCTION taskcore.task_find(
    p_old taskcore.tasks, p_new taskcore.tasks, p_folds jsonb
) RETURNS text
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    v_lines text[] := string_to_array(p_old.find, chr(10));
BEGIN
    RETURN COALESCE(
        p_folds ->> 'title',
        CASE WHEN p_new.title = p_old.title THEN v_lines[1] END,
        replace(lower(p_new.title COLLATE "C"), chr(10), ' ')
    ) || chr(10) || COALESCE(
        p_folds ->> 'description',
        CASE WHEN p_new.description = p_old.description THEN v_lines[2] END,
        replace(lower(p_new.description COLLATE "C"), chr(10), ' '),
        ''
    ) || chr(10) || array_to_string(ARRAY(
        SELECT COALESCE(
            p_folds -> 'tags' ->> tag,
            v_lines[2 + array_position(p_old.tags, tag)],
            lower(tag COLLATE "C")
        )
        FROM unnest(p_new.tags) WITH ORDINALITY AS u(tag, place) ORDER BY place
    ), chr(10));
END
$$;

REVOKE ALL ON FUNCTION taskcore.task_find FROM PUBLIC;

-- Tell whether a text contains all of these words. There are no wildcards.
CREATE OR REPLACE FUNCTION taskcore.text_has(p_text text, p_words text[]) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    v_word text;
    -- Without this, a long text would be decompressed again for each word.
    v_text text := p_text || '';
BEGIN
    FOREACH v_word IN ARRAY p_words LOOP
        IF strpos(v_text, v_word) = 0 THEN
            RETURN false;
        END IF;
    END LOOP;
    RETURN true;
END
$$;

REVOKE ALL ON FUNCTION taskcore.text_has FROM PUBLIC;

-- Tell whether a task matches a filter. NULL: any task does. PostgreSQL inlines the expression
-- into the queries that call it, which it does only for a function without a search_path of its
-- own. Only task_list_v1 and task_count_v1 call it, and they have one. p_search holds folded words,
-- the longest first. Nearly all tasks that do not match lack the longest word, so text_has is
-- rarely called.
CREATE OR REPLACE FUNCTION taskcore.task_fits(
    t taskcore.tasks, p_project text, p_tags text[], p_due_before text, p_due_after text,
    p_priority smallint, p_search text[]
) RETURNS boolean
LANGUAGE sql STABLE
AS $$
    SELECT (p_project IS NULL OR COALESCE(t.project, '') = p_project)
        AND t.tags @> p_tags
        AND (p_due_before IS NULL OR t.due < p_due_before)
        AND (p_due_after IS NULL OR t.due > p_due_after)
        AND (p_priority IS NULL OR t.priority BETWEEN 1 AND p_priority)
        AND (p_search IS NULL
             OR strpos(taskcore.task_text(t), p_search[1]) > 0
                AND (cardinality(p_search) = 1
                     OR taskcore.text_has(taskcore.task_text(t), p_search)))
$$;

REVOKE ALL ON FUNCTION taskcore.task_fits FROM PUBLIC;

-- Read at most p_limit tasks with ids below p_after (null: from the newest), newest
-- first. p_completed null: open and completed tasks. Each of the first three queries has its
-- own cached plan, so that open tasks use their index. force_generic_plan: otherwise
-- PostgreSQL plans at each call for the given p_limit, which takes longer than reading.
-- enable_bitmapscan = off: a bitmap would read and sort all tasks of the user.
--
-- p_options: an object with the members of a filter, which tasks must match, and an order. Null:
-- every task, newest first. A filter has project ('' for none), tags (all of them), due_before
-- and due_after (days), priority_at_least (1 to 9) and search (folded words, the longest first).
-- order is newest, due (soonest first, tasks without a due date last) or priority (highest first,
-- tasks without a priority last); equal tasks come newest first. With p_after, after_due or
-- after_priority is the value of the task p_after; null or 0 if it has none.
--
-- Open and completed tasks are two ranges of an index, so each is read in its order and the two
-- are merged. Equal due dates and later ones are two queries, because OR would read all the equal
-- ones for each page.
CREATE OR REPLACE FUNCTION taskcore.task_list_v1(
    p_user_id bigint, p_after bigint, p_limit integer, p_completed boolean,
    p_options jsonb DEFAULT NULL
) RETURNS SETOF taskcore.tasks
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
    v_left bigint := COALESCE(p_limit, 9223372036854775807);
    v_read bigint;
    v_states boolean[];
    v_order text;
    v_project text;
    v_tags text[];
    v_due_before text;
    v_due_after text;
    v_due text;
    v_priority smallint;
    v_priorities smallint;
    v_search text[];
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    IF p_options IS NOT NULL THEN
        -- A date sorts before its times, which go on with a T. A ~ sorts after all of them.
        SELECT COALESCE(o."order", 'newest'), o.project, COALESCE(o.tags, '{}'), o.due_before,
               o.due_after || '~', o.priority_at_least, o.search, o.after_due, o.after_priority
            INTO v_order, v_project, v_tags, v_due_before,
                 v_due_after, v_priorities, v_search, v_due, v_priority
            FROM pg_catalog.jsonb_to_record(p_options) AS o(
                "order" text, project text, tags text[], due_before text, due_after text,
                priority_at_least smallint, search text[], after_due text,
                after_priority smallint
            );
        v_states := CASE WHEN p_completed IS NULL THEN '{f,t}' ELSE ARRAY[p_completed] END;
        IF v_order = 'due' AND (p_after IS NULL OR v_due IS NOT NULL) THEN
            IF v_due IS NOT NULL THEN
                RETURN QUERY
                    SELECT l.* FROM pg_catalog.unnest(v_states) AS s(completed)
                    CROSS JOIN LATERAL (
                        SELECT t.* FROM taskcore.tasks AS t
                        WHERE t.user_id = p_user_id AND t.completed = s.completed
                          AND t.due = v_due AND t.id < v_before
                          AND taskcore.task_fits(t, v_project, v_tags, v_due_before,
                                                 v_due_after, v_priorities, v_search)
                        ORDER BY t.id DESC LIMIT v_left
                    ) AS l
                    ORDER BY l.id DESC LIMIT v_left;
                GET DIAGNOSTICS v_read = ROW_COUNT;
                v_left := v_left - v_read;
            END IF;
            v_due := GREATEST(v_due COLLATE "C", v_due_after, '');
            IF v_left > 0 THEN
                RETURN QUERY
                    SELECT l.* FROM pg_catalog.unnest(v_states) AS s(completed)
                    CROSS JOIN LATERAL (
                        SELECT t.* FROM taskcore.tasks AS t
                        WHERE t.user_id = p_user_id AND t.completed = s.completed
                          AND t.due > v_due AND t.due < COALESCE(v_due_before, '~')
                          AND taskcore.task_fits(t, v_project, v_tags, NULL, NULL, v_priorities,
                                                 v_search)
                        ORDER BY t.due, t.id DESC LIMIT v_left
                    ) AS l
                    ORDER BY l.due, l.id DESC LIMIT v_left;
                GET DIAGNOSTICS v_read = ROW_COUNT;
                v_left := v_left - v_read;
            END IF;
            v_before := 9223372036854775807;
        ELSIF v_order = 'priority' AND (p_after IS NULL OR v_priority > 0) THEN
            FOR v_each IN COALESCE(v_priority, 1) .. COALESCE(v_priorities, 9) LOOP
                EXIT WHEN v_left <= 0;
                RETURN QUERY
                    SELECT l.* FROM pg_catalog.unnest(v_states) AS s(completed)
                    CROSS JOIN LATERAL (
                        SELECT t.* FROM taskcore.tasks AS t
                        WHERE t.user_id = p_user_id AND t.completed = s.completed
                          AND t.priority = v_each AND t.priority > 0 AND t.id < v_before
                          AND taskcore.task_fits(t, v_project, v_tags, v_due_before,
                                                 v_due_after, NULL, v_search)
                        ORDER BY t.id DESC LIMIT v_left
                    ) AS l
                    ORDER BY l.id DESC LIMIT v_left;
                GET DIAGNOSTICS v_read = ROW_COUNT;
                v_left := v_left - v_read;
                v_before := 9223372036854775807;
            END LOOP;
        END IF;
        -- Newest first: all tasks, or those that have no due date or no priority.
        IF v_left > 0 AND NOT p_completed THEN
            RETURN QUERY
                SELECT t.* FROM taskcore.tasks AS t
                WHERE t.user_id = p_user_id AND t.id < v_before
                  AND NOT t.completed
                  AND (v_order <> 'due' OR t.due IS NULL)
                  AND (v_order <> 'priority' OR t.priority = 0)
                  AND taskcore.task_fits(t, v_project, v_tags, v_due_before, v_due_after,
                                         v_priorities, v_search)
                ORDER BY t.id DESC LIMIT v_left;
        ELSIF v_left > 0 THEN
            RETURN QUERY
                SELECT t.* FROM taskcore.tasks AS t
                WHERE t.user_id = p_user_id AND t.id < v_before
                  AND (p_completed IS NULL OR t.completed)
                  AND (v_order <> 'due' OR t.due IS NULL)
                  AND (v_order <> 'priority' OR t.priority = 0)
                  AND taskcore.task_fits(t, v_project, v_tags, v_due_before, v_due_after,
                                         v_priorities, v_search)
                ORDER BY t.id DESC LIMIT v_left;
        END IF;
    ELSIF p_completed IS NULL THEN
        RETURN QUERY
            SELECT t.* FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND t.id < v_before
            ORDER BY t.id DESC LIMIT p_limit;
    ELSIF p_completed THEN
        RETURN QUERY
            SELECT t.* FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND t.id < v_before AND t.completed
            ORDER BY t.id DESC LIMIT p_limit;
    ELSE
        RETURN QUERY
            SELECT t.* FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND t.id < v_before AND NOT t.completed
            ORDER BY t.id DESC LIMIT p_limit;
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.task_list_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.task_list_v1 TO taskcore_app;

-- Count the tasks that task_list_v1 returns for p_completed and the filter in p_options. Open
-- tasks are counted by a query of their own, so that it uses their index.
CREATE OR REPLACE FUNCTION taskcore.task_count_v1(
    p_user_id bigint, p_completed boolean, p_options jsonb
) RETURNS TABLE (tasks bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
    v_project text;
    v_tags text[];
    v_due_before text;
    v_due_after text;
    v_priorities smallint;
    v_search text[];
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    SELECT o.project, COALESCE(o.tags, '{}'), o.due_before, o.due_after || '~',
           o.priority_at_least, o.search
        INTO v_project, v_tags, v_due_before, v_due_after, v_priorities, v_search
        FROM pg_catalog.jsonb_to_record(COALESCE(p_options, '{}')) AS o(
            project text, tags text[], due_before text, due_after text,
            priority_at_least smallint, search text[]
        );
    IF NOT p_completed THEN
        RETURN QUERY
            SELECT pg_catalog.count(*) FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND NOT t.completed
              AND taskcore.task_fits(t, v_project, v_tags, v_due_before, v_due_after,
                                     v_priorities, v_search);
    ELSE
        RETURN QUERY
            SELECT pg_catalog.count(*) FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND (p_completed IS NULL OR t.completed)
              AND taskcore.task_fits(t, v_project, v_tags, v_due_before, v_due_after,
                                     v_priorities, v_search);
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.task_count_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.task_count_v1 TO taskcore_app;

-- Apply a JSON Merge Patch (RFC 7396, section 2). Only task_update_v1 calls it.
CREATE OR REPLACE FUNCTION taskcore.merge_patched(p_target jsonb, p_patch jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_patch IS NULL OR pg_catalog.jsonb_typeof(p_patch) <> 'object' THEN
        RETURN p_patch;
    END IF;
    IF p_target IS NULL OR pg_catalog.jsonb_typeof(p_target) <> 'object' THEN
        p_target := '{}';
    END IF;
    RETURN (
        SELECT COALESCE(pg_catalog.jsonb_object_agg(m.key, m.value), '{}')
        FROM (
            SELECT o.key, o.value FROM pg_catalog.jsonb_each(p_target) AS o
            WHERE NOT p_patch ? o.key
            UNION ALL
            SELECT n.key, CASE WHEN pg_catalog.jsonb_typeof(n.value) = 'object'
                THEN taskcore.merge_patched(p_target -> n.key, n.value) ELSE n.value END
            FROM pg_catalog.jsonb_each(p_patch) AS n
            WHERE n.value <> 'null'
        ) AS m
    );
END
$$;

REVOKE ALL ON FUNCTION taskcore.merge_patched FROM PUBLIC;

-- Change a task. The keys of p_changes are the columns to write; a missing key leaves
-- its column as it is. Returns the row as it then is; no row: the user has no task with
-- this id. The row has p_write_id if this write, or an earlier attempt of it, has made
-- the change. Otherwise the row is unchanged: its version is not among p_if_versions or
-- is among p_unless_versions, or the change changes nothing. NULL: no condition. The row
-- is locked first, so that no other write comes between. The version after the highest
-- one is 1.
--
-- A due date without a time removes the zone. SQLSTATE TC007: the change sets a zone, and the due
-- date has no time. add_tags and remove_tags are applied to the tags that the locked row has, or
-- to tags if the change has them. TC008: these would be more than 20, the limit in DETAIL. extra is
-- merged into the object of the locked row. TC009: it would have more than 4096 bytes, the limit in
-- DETAIL. folds holds folded texts, as p_folds of task_find.
CREATE OR REPLACE FUNCTION taskcore.task_update_v1(
    p_user_id bigint, p_id bigint, p_write_id bigint, p_if_versions text[], p_changes jsonb,
    p_unless_versions text[] DEFAULT NULL
) RETURNS SETOF taskcore.tasks
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
    v_old taskcore.tasks;
    v_new taskcore.tasks;
    v_now timestamptz;
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', p_user_id::text, true);
    SELECT t.* INTO v_old
        FROM taskcore.tasks AS t
        WHERE t.user_id = p_user_id AND t.id = p_id
        FOR NO KEY UPDATE;
    IF FOUND THEN
        v_new := pg_catalog.jsonb_populate_record(v_old, p_changes);
        IF v_new.due_zone IS NOT NULL
            AND COALESCE(pg_catalog.char_length(v_new.due), 0) <= 10
        THEN
            IF p_changes ->> 'due_zone' IS NOT NULL THEN
                RAISE EXCEPTION 'a zone needs a time' USING ERRCODE = 'TC007';
            END IF;
            v_new.due_zone := NULL;
        END IF;
        IF p_changes ?| ARRAY['add_tags', 'remove_tags'] THEN
            v_new.tags := ARRAY(
                SELECT tag FROM pg_catalog.unnest(v_new.tags) AS tag
                UNION SELECT pg_catalog.jsonb_array_elements_text(p_changes -> 'add_tags')
                EXCEPT SELECT pg_catalog.jsonb_array_elements_text(p_changes -> 'remove_tags')
            );
            v_new.tags := ARRAY(
                SELECT tag COLLATE "C" FROM pg_catalog.unnest(v_new.tags) AS tag ORDER BY 1
            );
            IF pg_catalog.cardinality(v_new.tags) > 20 THEN
                RAISE EXCEPTION 'the task has too many tags'
                    USING ERRCODE = 'TC008', DETAIL = '20';
            END IF;
        END IF;
        IF p_changes ? 'extra' THEN
            v_new.extra := NULLIF(
                taskcore.merge_patched(v_old.extra, NULLIF(p_changes -> 'extra', 'null')), '{}');
            IF pg_catalog.octet_length(v_new.extra::text) > 4096 THEN
                RAISE EXCEPTION 'extra is too large' USING ERRCODE = 'TC009', DETAIL = '4096';
            END IF;
        END IF;
        IF v_old.write_id = p_write_id
            OR v_old.version::text <> ALL (p_if_versions)
            OR v_old.version::text = ANY (p_unless_versions)
            OR v_new IS NOT DISTINCT FROM v_old
        THEN
            RETURN NEXT v_old;
        ELSE
            v_new.find := CASE
                WHEN v_old.find IS NULL AND NOT p_changes ? 'folds' THEN NULL
                WHEN p_changes ?| ARRAY['title', 'description', 'tags', 'add_tags', 'remove_tags']
                THEN taskcore.task_find(v_old, v_new, p_changes -> 'folds')
                ELSE v_old.find
            END;
            v_now := GREATEST(pg_catalog.clock_timestamp(), v_old.updated_at);
            RETURN QUERY
                UPDATE taskcore.tasks AS t
                SET title = v_new.title,
                    description = v_new.description,
                    due = v_new.due,
                    due_zone = v_new.due_zone,
                    priority = v_new.priority,
                    project = v_new.project,
                    tags = v_new.tags,
                    extra = v_new.extra,
                    find = v_new.find,
                    completed = v_new.completed,
                    version = CASE WHEN t.version < 2147483647 THEN t.version + 1 ELSE 1 END,
                    write_id = p_write_id,
                    updated_at = v_now,
                    completed_at = CASE
                        WHEN v_new.completed AND t.completed THEN t.completed_at
                        WHEN v_new.completed THEN v_now
                    END
                WHERE t.user_id = p_user_id AND t.id = p_id
                RETURNING t.*;
        END IF;
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.task_update_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.task_update_v1 TO taskcore_app;

-- Change several tasks as task_update_v1 does: all of them, or none. SQLSTATE TC003: the
-- user does not have the tasks listed in DETAIL, and nothing was changed. It runs with the
-- caller's rights, which reach task_update_v1 and no table. Rows are locked in the
-- order of their ids, so that two such calls cannot deadlock.
CREATE OR REPLACE FUNCTION taskcore.task_update_many_v1(
    p_user_id bigint, p_ids text[], p_write_id bigint, p_changes jsonb
) RETURNS SETOF taskcore.tasks
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_id bigint;
    v_missing text;
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    FOR v_id IN SELECT DISTINCT i.id::bigint FROM pg_catalog.unnest(p_ids) AS i(id) ORDER BY 1 LOOP
        RETURN QUERY
            SELECT t.*
            FROM taskcore.task_update_v1(p_user_id, v_id, p_write_id, NULL, p_changes) AS t;
        IF NOT FOUND THEN
            v_missing := pg_catalog.concat_ws(',', v_missing, v_id);
        END IF;
    END LOOP;
    IF v_missing IS NOT NULL THEN
        RAISE EXCEPTION 'tasks are missing' USING ERRCODE = 'TC003', DETAIL = v_missing;
    END IF;
END
$$;

REVOKE ALL ON FUNCTION taskcore.task_update_many_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.task_update_many_v1 TO taskcore_app;

-- Delete one task and return the row as it was; no row: the user has no task with this
-- id. If its version is not among p_if_versions or is among p_unless_versions, the row is
-- returned and stays. NULL: no condition.
CREATE OR REPLACE FUNCTION taskcore.task_delete_v1(
    p_user_id bigint, p_id bigint, p_if_versions text[], p_unless_versions text[] DEFAULT NULL
) RETURNS SETOF taskcore.tasks
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
        DELETE FROM taskcore.tasks AS t
        WHERE t.user_id = p_user_id AND t.id = p_id
          AND (p_if_versions IS NULL OR t.version::text = ANY (p_if_versions))
          AND (p_unless_versions IS NULL OR t.version::text <> ALL (p_unless_versions))
        RETURNING t.*;
    IF NOT FOUND AND COALESCE(p_if_versions, p_unless_versions) IS NOT NULL THEN
        -- The condition again: another write may have come between.
        RETURN QUERY
            SELECT t.* FROM taskcore.tasks AS t
            WHERE t.user_id = p_user_id AND t.id = p_id
              AND (t.version::text <> ALL (p_if_versions)
                   OR t.version::text = ANY (p_unless_versions));
    END IF;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.task_delete_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.task_delete_v1 TO taskcore_app;

-- Delete several tasks as task_delete_v1 does: all of them, or none. TC003 and rights: as in
-- task_update_many_v1.
CREATE OR REPLACE FUNCTION taskcore.task_delete_many_v1(
    p_user_id bigint, p_ids text[]
) RETURNS SETOF taskcore.tasks
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_id bigint;
    v_missing text;
BEGIN
    IF p_user_id IS NULL OR p_user_id < 1 THEN
        RAISE EXCEPTION 'user id must be a positive integer' USING ERRCODE = '22023';
    END IF;
    FOR v_id IN SELECT DISTINCT i.id::bigint FROM pg_catalog.unnest(p_ids) AS i(id) ORDER BY 1 LOOP
        RETURN QUERY SELECT t.* FROM taskcore.task_delete_v1(p_user_id, v_id, NULL) AS t;
        IF NOT FOUND THEN
            v_missing := pg_catalog.concat_ws(',', v_missing, v_id);
        END IF;
    END LOOP;
    IF v_missing IS NOT NULL THEN
        RAISE EXCEPTION 'tasks are missing' USING ERRCODE = 'TC003', DETAIL = v_missing;
    END IF;
END
$$;

REVOKE ALL ON FUNCTION taskcore.task_delete_many_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.task_delete_many_v1 TO taskcore_app;

SET LOCAL ROLE taskcore_owner;
REVOKE CREATE ON SCHEMA taskcore FROM taskcore_definer;
