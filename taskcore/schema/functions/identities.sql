-- Identities: the names that issuers have for users.
--
-- The functions are bound to the credential that was presented, as the functions on tasks
-- are bound to a user. Their owner, taskcore_authenticator, reaches no task.

GRANT CREATE ON SCHEMA taskcore TO taskcore_authenticator, taskcore_directory;
SET LOCAL ROLE taskcore_authenticator;

-- Return the user of an identity. It is nested in the call of an operation, so that both
-- are one statement: SELECT … FROM task_get_v1(identity_user_v1($1, …, $6), $7).
-- p_user_id: the user that the request names, or null. If the identity is another user's,
-- or nobody's: SQLSTATE TC404.
-- p_unknown: what an unknown identity gets. 'create': a new user. 'empty': an id that no
-- user can have, so that the operation finds nothing. 'refuse': TC403.
-- SQLSTATE TC401: the identity or its user is blocked.
-- p_creates: the operation creates tasks; 'create' implies it. Then the user's row is locked,
-- so that no deletion comes between this function and the operation.
-- p_subject_is_user_id: the subject of an identity without a row is the user's id, below 2^52,
-- where the ids of other issuers' users begin.
-- The id of a new user is random: a sequence would tell of sign-ups, and ids made from a hash
-- would collide without notice. It is at least 2^52; hosts choose lower ones. Its last ten bits are
-- the identity's place, so that both are on one server (places.sql).
--
-- Each transaction prepares each expression that it evaluates, which takes longer than to evaluate
-- it. So a known user's way through the function has few of them.
CREATE OR REPLACE FUNCTION taskcore.identity_user_v1(
    p_issuer text, p_subject text, p_user_id bigint, p_unknown text,
    p_creates boolean DEFAULT false, p_subject_is_user_id boolean DEFAULT false
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
    v_user_id bigint;
    v_blocked boolean;
    v_is_id boolean := false;
    v_random text;
BEGIN
    IF p_issuer IS NULL OR p_issuer = '' OR p_subject IS NULL OR p_subject = ''
        OR p_unknown IS NULL OR p_unknown NOT IN ('create', 'empty', 'refuse')
    THEN
        RAISE EXCEPTION 'issuer, subject and p_unknown must be given' USING ERRCODE = '22023';
    END IF;
    IF p_subject_is_user_id THEN
        -- Sixteen digits fit into a bigint. Only the branch that CASE takes is evaluated.
        IF (CASE WHEN p_subject ~ '^[1-9][0-9]{0,15}$'
                 THEN p_subject::bigint >= 4503599627370496 ELSE true END)
        THEN
            RAISE EXCEPTION 'the subject is not a user id' USING ERRCODE = '22023';
        END IF;
    END IF;
    v_bound := pg_catalog.set_config('taskcore.issuer', p_issuer, true);
    v_bound := pg_catalog.set_config('taskcore.subject', p_subject, true);
    -- Again if the user is deleted, or created by another call, between two statements.
    FOR v_attempt IN 1..10 LOOP
        SELECT i.user_id, i.blocked_at IS NOT NULL INTO v_user_id, v_blocked
            FROM taskcore.identities AS i
            WHERE i.issuer = p_issuer AND i.subject = p_subject;
        IF v_blocked THEN
            RAISE EXCEPTION 'the identity is blocked' USING ERRCODE = 'TC401';
        END IF;
        IF v_user_id IS NULL AND p_subject_is_user_id THEN
            v_user_id := p_subject::bigint;
            v_is_id := true;
        END IF;
        IF v_user_id IS NOT NULL THEN
            v_bound := pg_catalog.set_config('taskcore.user_id', v_user_id::text, true);
            IF p_creates OR p_unknown = 'create' THEN
                SELECT u.blocked_at IS NOT NULL INTO v_blocked
                    FROM taskcore.users AS u
                    WHERE u.id = v_user_id
                    FOR KEY SHARE;
            ELSE
                SELECT u.blocked_at IS NOT NULL INTO v_blocked
                    FROM taskcore.users AS u
                    WHERE u.id = v_user_id;
            END IF;
            IF v_blocked THEN
                RAISE EXCEPTION 'the user is blocked' USING ERRCODE = 'TC401';
            ELSIF FOUND OR (v_is_id AND p_unknown <> 'refuse') THEN
                IF p_user_id <> v_user_id THEN
                    RAISE EXCEPTION 'user not found' USING ERRCODE = 'TC404';
                END IF;
                EXIT;
            ELSIF v_is_id THEN
                RAISE EXCEPTION 'the identity is unknown' USING ERRCODE = 'TC403';
            END IF;
        ELSIF p_unknown = 'refuse' THEN
            RAISE EXCEPTION 'the identity is unknown' USING ERRCODE = 'TC403';
        ELSIF p_user_id IS NOT NULL THEN
            RAISE EXCEPTION 'user not found' USING ERRCODE = 'TC404';
        ELSIF p_unknown = 'empty' THEN
            v_user_id := 9223372036854775807;
            EXIT;
        ELSE
            v_random := pg_catalog.gen_random_uuid()::text;
            v_user_id := 4503599627370496
                + ('x' || pg_catalog.right(v_random, 12))::bit(42)::bigint * 1024
                + taskcore.identity_place(p_subject);
            v_bound := pg_catalog.set_config('taskcore.user_id', v_user_id::text, true);
            INSERT INTO taskcore.users (id) VALUES (v_user_id) ON CONFLICT (id) DO NOTHING;
            IF FOUND THEN
                INSERT INTO taskcore.identities (issuer, subject, user_id)
                    VALUES (p_issuer, p_subject, v_user_id)
                    ON CONFLICT (issuer, subject) DO NOTHING;
                EXIT WHEN FOUND;
                DELETE FROM taskcore.users AS u WHERE u.id = v_user_id;
            END IF;
        END IF;
        IF v_attempt = 10 THEN
            RAISE EXCEPTION 'the identity changes too often' USING ERRCODE = '40001';
        END IF;
    END LOOP;
    v_bound := pg_catalog.set_config('taskcore.user_id', '', true);
    v_bound := pg_catalog.set_config('taskcore.subject', '', true);
    v_bound := pg_catalog.set_config('taskcore.issuer', '', true);
    RETURN v_user_id;
END
$$;

REVOKE ALL ON FUNCTION taskcore.identity_user_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.identity_user_v1 TO taskcore_app;

-- Block an identity, or let it in again, and return its row. One that has no user yet has a
-- row as long as it is blocked; the row that is deleted is returned as it was. No row: an
-- identity without a user, which was not blocked.
CREATE OR REPLACE FUNCTION taskcore.identity_block_v1(
    p_issuer text, p_subject text, p_blocked boolean
) RETURNS SETOF taskcore.identities
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
BEGIN
    IF p_issuer IS NULL OR p_issuer = '' OR p_subject IS NULL OR p_subject = '' THEN
        RAISE EXCEPTION 'issuer and subject must be given' USING ERRCODE = '22023';
    END IF;
    v_bound := pg_catalog.set_config('taskcore.issuer', p_issuer, true);
    v_bound := pg_catalog.set_config('taskcore.subject', p_subject, true);
    IF p_blocked THEN
        INSERT INTO taskcore.identities (issuer, subject, blocked_at)
            VALUES (p_issuer, p_subject, pg_catalog.clock_timestamp())
            ON CONFLICT (issuer, subject) DO NOTHING;
    ELSE
        RETURN QUERY
            DELETE FROM taskcore.identities AS i
            WHERE i.issuer = p_issuer AND i.subject = p_subject AND i.user_id IS NULL
            RETURNING i.*;
    END IF;
    RETURN QUERY
        UPDATE taskcore.identities AS i
        SET blocked_at = CASE WHEN p_blocked
                              THEN COALESCE(i.blocked_at, pg_catalog.clock_timestamp()) END
        WHERE i.issuer = p_issuer AND i.subject = p_subject
        RETURNING i.*;
    v_bound := pg_catalog.set_config('taskcore.subject', '', true);
    v_bound := pg_catalog.set_config('taskcore.issuer', '', true);
END
$$;

REVOKE ALL ON FUNCTION taskcore.identity_block_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.identity_block_v1 TO taskcore_admin;

-- Move an identity to another issuer and subject, and return the outcome. With p_dry_run only
-- return what the outcome would be.
-- 'moved': the identity has the new name.
-- 'conflict': both names exist. Without p_dry_run this is SQLSTATE TC005, which rolls the whole
-- statement back.
-- 'done': only the new name exists, for example after an earlier move.
-- 'unknown': neither name exists.
-- The old name is bound first, then the new one, so no query sees both.
CREATE OR REPLACE FUNCTION taskcore.identity_move_v1(
    p_issuer text, p_subject text, p_to_issuer text, p_to_subject text, p_dry_run boolean
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
DECLARE
    v_bound text;
    v_row taskcore.identities;
    v_known boolean;
    v_taken boolean;
BEGIN
    FOR v_name IN 1..2 LOOP
        IF p_issuer IS NULL OR p_issuer = '' OR p_subject IS NULL OR p_subject = '' THEN
            RAISE EXCEPTION 'issuer and subject must be given' USING ERRCODE = '22023';
        END IF;
        v_bound := pg_catalog.set_config('taskcore.issuer', p_issuer, true);
        v_bound := pg_catalog.set_config('taskcore.subject', p_subject, true);
        IF v_name = 1 THEN
            IF p_dry_run THEN
                SELECT i.* INTO v_row FROM taskcore.identities AS i
                    WHERE i.issuer = p_issuer AND i.subject = p_subject;
            ELSE
                DELETE FROM taskcore.identities AS i
                    WHERE i.issuer = p_issuer AND i.subject = p_subject
                    RETURNING i.* INTO v_row;
            END IF;
            v_known := FOUND;
            p_issuer := p_to_issuer;
            p_subject := p_to_subject;
        ELSIF p_dry_run OR NOT v_known THEN
            PERFORM FROM taskcore.identities AS i
                WHERE i.issuer = p_issuer AND i.subject = p_subject;
            v_taken := FOUND;
        ELSE
            INSERT INTO taskcore.identities (issuer, subject, user_id, created_at, blocked_at)
                VALUES (p_issuer, p_subject, v_row.user_id, v_row.created_at, v_row.blocked_at)
                ON CONFLICT (issuer, subject) DO NOTHING;
            v_taken := NOT FOUND;
            IF v_taken THEN
                RAISE EXCEPTION 'the identity is there already' USING ERRCODE = 'TC005';
            END IF;
        END IF;
    END LOOP;
    v_bound := pg_catalog.set_config('taskcore.subject', '', true);
    v_bound := pg_catalog.set_config('taskcore.issuer', '', true);
    RETURN CASE WHEN v_known AND v_taken THEN 'conflict'
                WHEN v_known THEN 'moved'
                WHEN v_taken THEN 'done'
                ELSE 'unknown' END;
END
$$;

REVOKE ALL ON FUNCTION taskcore.identity_move_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.identity_move_v1 TO taskcore_admin;

SET LOCAL ROLE taskcore_directory;

-- Read at most p_limit identities after (p_issuer, p_subject), in the order of their bytes
-- (nulls: from the first); of one user, or with p_user_id null of all.
CREATE OR REPLACE FUNCTION taskcore.identity_list_v1(
    p_user_id bigint, p_issuer text, p_subject text, p_limit integer
) RETURNS SETOF taskcore.identities
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET enable_seqscan = off
AS $$
BEGIN
    RETURN QUERY
        SELECT i.* FROM taskcore.identities AS i
        WHERE (i.issuer, i.subject) > (COALESCE(p_issuer, ''), COALESCE(p_subject, ''))
          AND (p_user_id IS NULL OR i.user_id = p_user_id)
        ORDER BY i.issuer, i.subject LIMIT p_limit;
END
$$;

REVOKE ALL ON FUNCTION taskcore.identity_list_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION taskcore.identity_list_v1 TO taskcore_admin;

SET LOCAL ROLE taskcore_owner;
REVOKE CREATE ON SCHEMA taskcore FROM taskcore_authenticator, taskcore_directory;
